package modules

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Git]{
		Name: "git", Slow: true,
		Doc: "Has a version of a Git repository checked out in a directory, with the host's git. A plan asks the repository, too, whether there is a newer commit. What was changed or committed in the directory is kept: the task fails rather than lose it, unless force is set. For a host that cannot reach the repository, copy a bundle to it (git bundle create), and name that as repo.",
		Example: `git "/opt/tool" {
  repo    = "https://example.org/tool.git"
  version = "v1.2"
  depth   = 1
}
`,
		Validate: (*Git).validate, Complete: (*Git).complete, Read: readGit, ReadAbsent: readGitAbsent, Apply: applyGit,
	})
}

// Git is a working tree of a repository.
type Git struct {
	Dest        string            `json:"dest" lab:"key" doc:"Absolute path of the directory, which is made, with those above it."`
	Repo        string            `json:"repo,omitempty" lab:"option" doc:"URL or path of the repository, or of a bundle, as for git clone."`
	Version     string            `json:"version,omitempty" lab:"option" default:"HEAD" doc:"Branch, tag, or full hash of a commit; HEAD is the repository's own branch."`
	Depth       *int              `json:"depth,omitempty" lab:"option" doc:"How many commits of history to fetch; all if unset."`
	Update      *bool             `json:"update,omitempty" lab:"option" default:"true" doc:"Whether a working tree that is there is brought to the version; false: whatever it is at is right."`
	Force       bool              `json:"force,omitempty" lab:"option" doc:"Throw away changes that were made to files there, and commits that the repository does not have."`
	Environment map[string]string `json:"environment,omitempty" lab:"option" doc:"Variables for git, such as GIT_SSH_COMMAND or https_proxy."`
	Commit      string            `json:"commit,omitempty" lab:"derived" doc:"Commit that is checked out."`

	branch string // that commit is the head of
}

func (g *Git) validate() error {
	g.Version = cmp.Or(g.Version, "HEAD")
	for name, s := range map[string]string{"repo": g.Repo, "version": g.Version} {
		if strings.HasPrefix(s, "-") || strings.ContainsAny(s, "\n\x00") {
			return argf(name, "%q is not the name of one", s)
		}
	}
	if strings.ContainsAny(g.Version, " ^~:?*[\\") {
		return argf("version", "%q is not a branch, a tag or the full hash of a commit", g.Version)
	}
	return firstFault(absolute("dest", g.Dest), inRange("depth", g.Depth, 1, 1<<30), validEnvironment(g.Environment))
}

func (g *Git) complete() error {
	if g.Repo == "" {
		return argf("repo", "required argument is missing")
	}
	return nil
}

// isCommit reports whether s is the full hash of a commit, of SHA-1 or SHA-256.
func isCommit(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && (len(s) == 40 || len(s) == 64)
}

// The scripts get repository, directory, version, depth ("" for all), force ("" for not), commit and branch.
const (
	gitHead = `cd "$2" && git rev-parse --git-dir >/dev/null && { git rev-parse -q --verify HEAD || test $? = 1; }`
	// gitWanted prints the commit, and the branch that it is the head of.
	gitWanted = `command -v git >/dev/null || { echo "there is no git" >&2; exit 127; }
case $3 in HEAD) list=$(git ls-remote --symref -- "$1" HEAD) || exit 1
  branch=$(printf '%s\n' "$list" | sed -n 's,^ref: refs/heads/\([^	]*\).*,\1,p') ;;
*) list=$(git ls-remote -- "$1" "refs/heads/$3" "refs/tags/$3" "refs/tags/$3^{}") || exit 1
  branch=$(printf '%s\n' "$list" | sed -n 's,.*	refs/heads/,,p') ;;
esac
commit=$(printf '%s\n' "$list" | grep -v ^ref: | if test -n "$branch"; then grep -E '	(HEAD|refs/heads/.*)$'; else cat; fi | tail -n 1 | cut -f 1)
test -n "$commit" || { echo "the repository has no branch or tag $3" >&2; exit 1; }
echo "$commit $branch"`
	// gitKeeps fails when what is there would be lost. It sees as much of that as can be seen without fetching.
	gitKeeps = `cd "$2" && git rev-parse -q --verify HEAD >/dev/null || exit 0
git diff --quiet HEAD || { echo "files in $2 were changed there: force = true throws that away" >&2; exit 1; }
if test -n "$7" && ours=$(git rev-parse -q --verify "refs/heads/$7") && test "$ours" != "$6" && git cat-file -e "$6" 2>/dev/null && ! git merge-base --is-ancestor "$ours" "$6"
then echo "branch $7 in $2 has commits that the repository does not have: force = true throws them away" >&2; exit 1
fi`
	gitOnlyCopy = `cd "$2" && test -z "$(git status --porcelain)$(git log --branches --not --remotes --format=%h -1)" || { echo "$2 has files or commits that are nowhere else: force = true throws them away" >&2; exit 1; }`
	gitUpdate   = `depth=${4:+--depth=$4}; force=$5; commit=$6; branch=$7
there() { test -e "$2/.git"; }
if ! there "$@"; then
  trap 'test $? = 0 || rm -rf "$2/.git"' EXIT
  trap 'exit 1' HUP INT TERM
fi
set -e
mkdir -p "$2"
cd "$2"
there "$@" || git init -q
git remote set-url origin "$1" 2>/dev/null || git remote add origin "$1"
if test -n "$branch"; then git fetch -q $depth origin "+refs/heads/$branch:refs/remotes/origin/$branch"
elif test "$commit" = "$3"; then git cat-file -e "$commit^{commit}" 2>/dev/null || git fetch -q $depth origin "$commit" 2>/dev/null || git fetch -q --tags origin "+refs/heads/*:refs/remotes/origin/*"
else git fetch -q $depth origin "+refs/tags/$3:refs/tags/$3"
fi
if test -z "$branch"; then git checkout -q ${force:+-f} --detach "$commit"
elif test -n "$force" || ! git rev-parse -q --verify "refs/heads/$branch" >/dev/null; then git checkout -q ${force:+-f} -B "$branch" "$commit"
elif git merge-base --is-ancestor "refs/heads/$branch" "$commit"; then git checkout -q "$branch" && git merge -q --ff-only "$commit"
else echo "branch $branch in $2 has commits that the repository does not have: force = true throws them away" >&2; exit 1
fi`
)

func (g *Git) tool(ctx context.Context, run func(context.Context, host.Exec) (host.ExecResult, error), script string) (string, error) {
	depth, force := "", ""
	if g.Depth != nil {
		depth = strconv.Itoa(*g.Depth)
	}
	if g.Force {
		force = "yes"
	}
	return runTool(ctx, run, g.Environment, script, g.Repo, g.Dest, g.Version, depth, force, g.Commit, g.branch)
}

// head returns the commit that is checked out; "": there is none. What HEAD says itself is read from the file, since a plan
// writes it there.
func (g *Git) head(ctx context.Context, h host.Host) (string, error) {
	switch st, err := lstat(ctx, h, g.Dest+"/.git", false); {
	case err != nil:
		return "", err
	case st == nil:
		return "", g.vacant(ctx, h)
	}
	if b, err := h.Files().Read(ctx, g.Dest+"/.git/HEAD", 1<<10); err == nil && isCommit(printed(b)) {
		return printed(b), nil
	}
	out, err := g.tool(ctx, h.Commands().Check, gitHead)
	if err != nil && !unforeseen(h, err) {
		return "", fmt.Errorf("look at %s: %w", g.Dest, err)
	}
	return out, nil
}

// vacant refuses a directory with something else in it.
func (g *Git) vacant(ctx context.Context, h host.Host) error {
	st, err := stat(ctx, h, g.Dest, false)
	switch {
	case err != nil || st == nil:
		return err
	case st.Type != host.Directory:
		return fmt.Errorf("%s is a %s", g.Dest, st.Type)
	}
	names, err := h.Files().List(ctx, st.Path)
	if err == nil && len(names) > 0 {
		err = fmt.Errorf("%s holds %s and more, and is no working tree of Git", g.Dest, names[0])
	}
	return err
}

func readGit(ctx context.Context, h host.Host, want *Git) (*Git, error) {
	head, err := want.head(ctx, h)
	if err != nil {
		return nil, err
	}
	if head != "" && want.Update != nil && !*want.Update {
		want.Commit = head
	}
	if want.Commit == "" { // else it is the second look: what was wanted has not become another meanwhile
		if err := want.resolve(ctx, h); err != nil {
			return nil, err
		}
	}
	if head == "" {
		return nil, nil
	}
	return &Git{Dest: want.Dest, Commit: head}, nil
}

// unforeseen reports whether err is only that a plan cannot look: a task before may install git, or there is only a snapshot.
func unforeseen(h host.Host, err error) bool {
	return host.Planning(h) && (errors.Is(err, errNoTool) || errors.Is(err, host.ErrUnsupported))
}

// comes reports whether the repository is a path that is made in this very plan, where git cannot look yet.
func (g *Git) comes(ctx context.Context, h host.Host) bool {
	if !host.Planning(h) || !strings.HasPrefix(g.Repo, "/") {
		return false
	}
	st, err := stat(ctx, h, g.Repo, false)
	if err != nil || st == nil {
		return false
	}
	_, err = g.tool(ctx, h.Commands().Check, `! test -e "$1"`)
	return err == nil
}

// resolve finds the commit that the version stands for.
func (g *Git) resolve(ctx context.Context, h host.Host) error {
	if isCommit(g.Version) {
		g.Commit = strings.ToLower(g.Version)
		return nil
	}
	out, err := g.tool(ctx, h.Commands().Check, gitWanted)
	switch {
	case unforeseen(h, err) || err != nil && g.comes(ctx, h):
		return nil
	case err != nil:
		return fmt.Errorf("look at %s: %w", g.Repo, err)
	}
	g.Commit, g.branch, _ = strings.Cut(out, " ")
	return nil
}

func readGitAbsent(ctx context.Context, h host.Host, want *Git) (*Git, error) {
	head, err := want.head(ctx, h)
	if st, fault := lstat(ctx, h, want.Dest+"/.git", false); st == nil || err != nil || fault != nil {
		return nil, cmp.Or(err, fault)
	}
	return &Git{Dest: want.Dest, Commit: head, Force: want.Force, Environment: want.Environment}, nil
}

func applyGit(ctx context.Context, h host.Host, have, want *Git, _ Diff) error {
	f, c := h.Files(), h.Commands()
	if want == nil {
		if !have.Force {
			if _, err := have.tool(ctx, c.Check, gitOnlyCopy); err != nil && !unforeseen(h, err) {
				return err
			}
		}
		return f.Remove(ctx, have.Dest, true)
	}
	if have != nil && !want.Force {
		if _, err := want.tool(ctx, c.Check, gitKeeps); err != nil && !unforeseen(h, err) {
			return err
		}
	}
	if !host.Planning(h) {
		if _, err := want.tool(ctx, c.Run, gitUpdate); err != nil {
			return fmt.Errorf("check out %s of %s: %w", want.Version, want.Repo, err)
		}
		return nil
	}
	if err := f.Mkdir(ctx, want.Dest+"/.git", host.FileAttrs{}, true); err != nil && !errors.Is(err, host.ErrExist) {
		return err
	}
	return f.Write(ctx, want.Dest+"/.git/HEAD", host.Content{Inline: []byte(cmp.Or(want.Commit, strings.Repeat("0", 40)))}, host.FileAttrs{})
}
