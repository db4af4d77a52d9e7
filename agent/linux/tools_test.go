package linux

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"labctl/modules"
	"labctl/modules/host/memory"
	"labctl/modules/modulestest"
)

// serveFiles serves contents by path in the network namespace of the test, which nobody else can reach.
func serveFiles(t *testing.T, files map[string]string) (base string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:8099") // by this thread, which is in the namespace
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, text)
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return "http://" + l.Addr().String()
}

// onlyTools is a PATH with links to some programs, and nothing else.
func onlyTools(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, n := range names {
		n, as, _ := strings.Cut(n, " as ")
		if as == "" {
			as = n
		}
		p, err := exec.LookPath(n)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(p, filepath.Join(dir, as)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// play plans and applies a call, and wants of both the same: a refusal that says refusal, or what is done (an action).
func play(t *testing.T, h *Host, c modules.Call, want modules.Action, refusal string) modules.Result {
	t.Helper()
	m, err := modules.Default.Lookup(c.Module)
	if err != nil {
		t.Fatal(err)
	}
	planned, planErr := m.Apply(t.Context(), memory.New(h), c)
	res, err := m.Apply(t.Context(), h, c)
	switch {
	case refusal != "" && (!strings.Contains(text(err), refusal) || !strings.Contains(text(planErr), refusal)):
		t.Fatalf("%s %s: plan: %v, apply: %v; want %q", c.Module, c.Params, planErr, err, refusal)
	case refusal == "" && (err != nil || planErr != nil || res.Diff.Action != want || planned.Diff.Action != want):
		t.Fatalf("%s %s: plan: %s %v, apply: %s %v; want %s", c.Module, c.Params, planned.Diff.Action, planErr, res.Diff.Action, err, want)
	}
	return res
}

func sumOf(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

func TestGetURL(t *testing.T) {
	files := map[string]string{"/a": "one\n", "/b": strings.Repeat("two\n", 1<<14)}
	open := func(t testing.TB) modulestest.Target {
		h := freshHost(t)
		sh(t.(*testing.T), h, "", "ip link set lo up")
		serveFiles(t.(*testing.T), files)
		return modulestest.Target{Host: h, Writes: h.Writes}
	}
	modulestest.Run(t, modulestest.GetURLSuite("http://127.0.0.1:8099", sumOf(files["/a"]), sumOf(files["/b"])), open)
}

// TestGetURLTools downloads with each of the programs that can, and leaves nothing behind when it fails.
func TestGetURLTools(t *testing.T) {
	h := freshHost(t)
	sh(t, h, "", "ip link set lo up")
	base := serveFiles(t, map[string]string{"/a": "one\n"})
	for _, tool := range []string{"curl", "wget", "busybox as wget", "/usr/bin/python3 as python3", ""} {
		dir := t.TempDir()
		get := func(name, more string) modules.Call {
			tools := []string{"sh", "mktemp", "rm"}
			if tool != "" {
				tools = append(tools, tool)
			}
			return modulestest.State("get_url", fmt.Sprintf(`{"dest":%q,"url":"%s/%s","environment":{"PATH":%q}%s}`, dir+"/"+name, base, name, onlyTools(t, tools...), more))
		}
		m := modules.Default["get_url"]
		_, err := m.Apply(t.Context(), h, get("a", ""))
		if tool == "" {
			if !strings.Contains(text(err), "there is no curl, wget or python3") {
				t.Errorf("without a tool: %v", err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tool, err)
		}
		if b, _ := os.ReadFile(dir + "/a"); string(b) != "one\n" {
			t.Errorf("%s: there is %q", tool, b)
		}
		if info, _ := os.Stat(dir + "/a"); info.Mode() != 0o644 {
			t.Errorf("%s: its mode is %v", tool, info.Mode())
		}
		if _, err := m.Apply(t.Context(), h, get("none", "")); err == nil || !strings.Contains(err.Error(), "download "+base+"/none: ") || strings.Count(err.Error(), "\n") > 1 {
			t.Errorf("%s: what is not there: %v", tool, err)
		}
		if _, err := m.Apply(t.Context(), h, get("a", `,"checksum":"sha256:`+sumOf("x")+`"`)); !strings.Contains(text(err), "its checksum is sha256:"+sumOf("one\n")+", not sha256:"+sumOf("x")) {
			t.Errorf("%s: wrong checksum: %v", tool, err)
		}
		if b, _ := os.ReadFile(dir + "/a"); string(b) != "one\n" {
			t.Errorf("%s: a download that is refused has left %q", tool, b)
		}
		if names, _ := filepath.Glob(dir + "/*"); len(names) != 1 {
			t.Errorf("%s: there is %q", tool, names)
		}
	}
	play(t, h, modulestest.State("get_url", fmt.Sprintf(`{"dest":%q,"url":"%s/a"}`, t.TempDir()+"/no/a", base)), "", "/no does not exist: make it first")
}

// gitRepository makes one with the branches main and old and the tag v1, and returns its path and main's commit.
func gitRepository(t *testing.T) (repo string, commit func(ref string) string) {
	t.Helper()
	t.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(t.TempDir(), "gitconfig"))
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	repo = filepath.Join(t.TempDir(), "repo")
	bash(t, filepath.Dir(repo), `git config --global user.name a; git config --global user.email a@b; git init -q -b main repo; cd repo
echo 1 >f; git add f; git commit -qm one; git branch old; git config uploadpack.allowAnySHA1InWant true
echo 2 >f; git commit -qam two; git tag -am v1 v1; echo 3 >f; git commit -qam three`)
	return repo, func(ref string) string { return bash(t, repo, "git rev-parse "+ref+"^{commit}") }
}

// bash runs a script in a directory and returns what it prints.
func bash(t *testing.T, dir, text string) string {
	t.Helper()
	cmd := exec.Command("sh", "-ec", text)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", text, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestGit(t *testing.T) {
	repo, commit := gitRepository(t)
	modulestest.Run(t, modulestest.GitSuite("file://"+repo, commit("v1")), func(t testing.TB) modulestest.Target {
		h := freshHost(t)
		return modulestest.Target{Host: h, Writes: h.Writes}
	})
}

// TestGitKeeps follows a branch, and loses nothing that was done in the working tree.
func TestGitKeeps(t *testing.T) {
	repo, commit := gitRepository(t)
	h, dest := freshHost(t), filepath.Join(t.TempDir(), "w")
	call := func(more string) modules.Call {
		return modulestest.State("git", fmt.Sprintf(`{"dest":%q,"repo":%q,"version":"main"%s}`, dest, repo, more))
	}
	play(t, h, call(""), modules.Create, "")
	if got := bash(t, dest, "cat f; git rev-parse --abbrev-ref HEAD"); got != "3\nmain" {
		t.Errorf("there is %q", got)
	}
	before := commit("main")
	bash(t, repo, "echo 4 >f; git commit -qam four")
	res := play(t, h, call(""), modules.Update, "")
	if c := res.Diff.Changes; len(c) != 1 || c[0].Before != before || c[0].After != commit("main") {
		t.Errorf("diff %+v", c)
	}
	play(t, h, call(""), modules.None, "")

	bash(t, repo, "echo 5 >f; git commit -qam five")
	bash(t, dest, "echo mine >f")
	play(t, h, call(""), "", "files in "+dest+" were changed there: force = true")
	bash(t, dest, "git commit -qam mine")
	if _, err := modules.Default["git"].Apply(t.Context(), h, call("")); !strings.Contains(text(err), "has commits that the repository does not have") {
		t.Errorf("diverged: %v", err)
	}
	play(t, h, call(""), "", "branch main in "+dest+" has commits that the repository does not have") // it has been fetched now
	if got := bash(t, dest, "cat f"); got != "mine" {
		t.Errorf("there is %q", got)
	}
	gone := call("")
	gone.Absent = true
	play(t, h, gone, "", "files or commits that are nowhere else")
	play(t, h, call(`,"force":true`), modules.Update, "")
	if got := bash(t, dest, "cat f"); got != "5" {
		t.Errorf("there is %q", got)
	}
	bash(t, dest, "echo new >untracked")
	play(t, h, gone, "", "files or commits that are nowhere else")
	bash(t, dest, "rm untracked")
	play(t, h, gone, modules.Delete, "")
	play(t, h, gone, modules.None, "")
}

// TestGitRefusals leaves what is no working tree alone, and leaves none behind that is not whole.
func TestGitRefusals(t *testing.T) {
	repo, commit := gitRepository(t)
	h, dest := freshHost(t), t.TempDir()
	call := func(dest, repo, version string) modules.Call {
		return modulestest.State("git", fmt.Sprintf(`{"dest":%q,"repo":%q,"version":%q}`, dest, repo, version))
	}
	bash(t, dest, "echo precious >f")
	play(t, h, call(dest, repo, "main"), "", dest+" holds f and more, and is no working tree of Git")
	play(t, h, call(dest+"/new", repo, "nothing"), "", "the repository has no branch or tag nothing")
	play(t, h, call(dest+"/new", repo+"x", "main"), "", "look at "+repo+"x: ")
	if _, err := modules.Default["git"].Apply(t.Context(), h, call(dest+"/new", repo, strings.Repeat("1", 40))); err == nil {
		t.Error("a commit that is not there is checked out")
	}
	if _, err := os.Stat(dest + "/new/.git"); err == nil {
		t.Error("a repository without a commit is left behind")
	}
	play(t, h, call(dest+"/new", repo, "v1"), modules.Create, "")

	// A bundle is a repository, too: it can be copied to where no repository can be reached.
	bundle := filepath.Join(t.TempDir(), "b")
	bash(t, repo, "git bundle create -q "+bundle+" main v1")
	play(t, h, call(dest+"/bundled", bundle, "main"), modules.Create, "")
	if got := bash(t, dest+"/bundled", "git rev-parse HEAD"); got != commit("main") {
		t.Errorf("out of the bundle comes %s", got)
	}
	if got := bash(t, dest, "cat f; cat new/f"); got != "precious\n2" {
		t.Errorf("there is %q", got)
	}
}

func TestUnarchive(t *testing.T) {
	h, src := freshHost(t), t.TempDir()
	bash(t, src, `mkdir -p "top/a b/c"; echo hi >"top/a b/c/x[1].txt"; ln -s c "top/a b/l"; : >"top/a b/empty"; echo rest >"top/.dot"
tar -cf a.tar top; tar -czf a.tar.gz top; tar -cJf a.tar.xz top; zip -qry a.zip top`)
	for _, tt := range []struct{ archive, path, more string }{
		{"a.tar", "", ""}, {"a.tar.gz", "", ""}, {"a.tar.xz", "", `,"strip_components":1`}, {"a.zip", "", ""},
		{"a.tar.gz", onlyTools(t, "sh", "grep", "sha256sum", "gzip", "busybox as tar"), `,"strip_components":1`},
		{"a.zip", onlyTools(t, "sh", "sed", "stat", "wc", "sha256sum", "unzip"), ""},
	} {
		t.Run(tt.archive+tt.path, func(t *testing.T) {
			if tt.path != "" {
				t.Setenv("PATH", tt.path)
			}
			dest := t.TempDir()
			call := modulestest.State("unarchive", fmt.Sprintf(`{"src":%q,"dest":%q%s}`, src+"/"+tt.archive, dest, tt.more))
			top := dest + "/top"
			if strings.Contains(tt.more, "strip") {
				top = dest
			}
			play(t, h, call, modules.Run, "")
			if b, _ := os.ReadFile(top + "/a b/l/x[1].txt"); string(b) != "hi\n" {
				t.Fatalf("there is %q", b)
			}
			play(t, h, call, modules.None, "")
			_ = os.Chmod(top+"/.dot", 0o600) // for module file to say
			play(t, h, call, modules.None, "")
			if err := os.Remove(top + "/a b/empty"); err != nil {
				t.Fatal(err)
			}
			play(t, h, call, modules.Run, "")
			if tt.path != "" && tt.archive != "a.zip" {
				return // BusyBox compares names
			}
			_ = os.WriteFile(top+"/.dot", []byte("changed"), 0o644)
			play(t, h, call, modules.Run, "")
			if b, _ := os.ReadFile(top + "/.dot"); string(b) != "rest\n" {
				t.Errorf("there is %q", b)
			}
		})
	}
	dest := t.TempDir()
	call := func(archive, dest, more string) modules.Call {
		return modulestest.State("unarchive", fmt.Sprintf(`{"src":%q,"dest":%q%s}`, src+"/"+archive, dest, more))
	}
	if _, err := modules.Default["unarchive"].Apply(t.Context(), h, call("none.tar", dest, "")); !strings.Contains(text(err), "there is no archive "+src+"/none.tar: bring it there first") {
		t.Errorf("no archive: %v", err)
	}
	play(t, h, call("a.tar", dest+"/no", ""), "", dest+"/no does not exist: make it first")
	play(t, h, call("a.tar", dest, `,"creates":"/etc"`), modules.None, "")
	if err := os.WriteFile(src+"/bad.tar", []byte("this is no archive\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := modules.Default["unarchive"].Apply(t.Context(), h, call("bad.tar", dest, "")); !strings.Contains(text(err), "exit status 2: tar: ") {
		t.Errorf("what is no archive: %v", err)
	}
}

// TestUnarchiveOfWhatIsPlanned: a plan in which the archive becomes another does not look at the one that is there.
func TestUnarchiveOfWhatIsPlanned(t *testing.T) {
	h, dir := freshHost(t), t.TempDir()
	bash(t, dir, "mkdir d; echo hi >f; tar -cf a.tar f; tar -xf a.tar -C d")
	call := modulestest.State("unarchive", fmt.Sprintf(`{"src":"%[1]s/a.tar","dest":"%[1]s/d"}`, dir))
	play(t, h, call, modules.None, "")
	model := memory.New(h)
	for _, c := range []modules.Call{modulestest.State("copy", fmt.Sprintf(`{"dest":"%s/a.tar","content":"x"}`, dir)), call} {
		res, err := modules.Default[c.Module].Apply(t.Context(), model, c)
		if err != nil || !res.Diff.Action.Changes() {
			t.Errorf("%s: %s, %v", c.Module, res.Diff.Action, err)
		}
	}
}
