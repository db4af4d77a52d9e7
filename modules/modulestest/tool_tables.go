package modulestest

import (
	"context"
	"fmt"
	"strings"

	"labctl/modules"
	"labctl/modules/host"
)

// sameStat compares what stat(2) says of paths below dir in the model and on the host. Contents are compared by their hash where
// sums says so.
func sameStat(sums bool, dir func() string, names ...string) func(context.Context, host.Host, host.Host) string {
	return func(ctx context.Context, model, real host.Host) string {
		for _, name := range names {
			p := dir() + "/" + name
			a, b := statText(ctx, model, p, sums), statText(ctx, real, p, sums)
			if a != b {
				return p + "\nmodel: " + a + "\nhost:  " + b
			}
		}
		return ""
	}
}

func statText(ctx context.Context, h host.Host, p string, sum bool) string {
	st, err := h.Files().Stat(ctx, p, sum)
	if err != nil {
		return "none"
	}
	return fmt.Sprintf("%s %04o %s:%s %s", st.Type, st.Mode, st.Owner, st.Group, st.SHA256)
}

// keepDir is a Setup that remembers the directory of the test.
func keepDir(dir *string) func(context.Context, host.Host, string) error {
	return func(_ context.Context, _ host.Host, d string) error { *dir = d; return nil }
}

// GetURLSuite downloads a and b, which are at base, with their checksums; c is not there.
func GetURLSuite(base, sumA, sumB string) Suite {
	with := strings.NewReplacer("BASE", base, "SUMA", "sha256:"+sumA, "SUMB", "sha256:"+sumB)
	var dir string
	none := strings.Repeat("0", 64)
	return Suite{Module: "get_url", Setup: keepDir(&dir), Compare: sameStat(true, func() string { return dir }, "a"), States: states("get_url",
		with.Replace(`{"dest":"@DIR@/","url":"BASE/a?x=1","checksum":"SUMA"}`), with.Replace(`{"dest":"@DIR@/a","url":"BASE/b","checksum":"SUMB","mode":"0750"}`),
		with.Replace(`{"dest":"@DIR@/a","url":"BASE/a","checksum":"SUMA","owner":"1","group":"2"}`)),
		Rejects: []Reject{{`{"dest":"a","url":"http://x/a"}`, "dest"}, {`{"dest":"/a/","url":"http://x"}`, "dest"}, {`{"dest":"/a/","url":"http://x/"}`, "dest"}, {`{"dest":"/a"}`, "url"},
			{`{"dest":"/a","url":"file:///etc/passwd"}`, "url"}, {`{"dest":"/a","url":"x/a"}`, "url"}, {`{"dest":"/a","url":"ftp://x/a","through":"controller"}`, "url"},
			{`{"dest":"/a","url":"http://x/a","checksum":"` + none + `"}`, "checksum"}, {`{"dest":"/a","url":"http://x/a","checksum":"sha256:12"}`, "checksum"},
			{`{"dest":"/a","url":"http://x/a","through":"controller"}`, "checksum"}, {`{"dest":"/a","url":"http://x/a","mode":"u+x"}`, "mode"},
			{`{"dest":"/a","url":"http://x/a","through":"controller","checksum":"sha256:` + none + `","environment":{"a":"b"}}`, "environment"}, {`{"dest":"/a","url":"http://x/a","environment":{"a=":"b"}}`, "environment"}}}
}

// HomeRejects are arguments of modules that bring files home.
var HomeRejects = map[string][]Reject{
	"fetch":   {{`{"path":"x","dest":"y"}`, "path"}, {`{"path":"/x"}`, "dest"}, {`{"path":"~/x","dest":"y"}`, "path"}},
	"capture": {{`{"name":"x","dev":"lo","start":true,"pcap":"x"}`, "pcap"}},
}

// GitSuite checks out a repository with the branches main and old, the tag v1 and a commit.
func GitSuite(repo, commit string) Suite {
	with := strings.NewReplacer("REPO", repo, "COMMIT", commit)
	var dir string
	var states []modules.Call
	for _, s := range []string{`"version":"COMMIT"`, `"version":"main"`, `"version":"v1"`, `"version":"old","depth":1`, `"version":"HEAD","force":true`, `"update":false`} {
		states = append(states, State("git", with.Replace(`{"dest":"@DIR@/x/y","repo":"REPO",`+s+`}`)))
	}
	return Suite{Module: "git", Steps: 14, Setup: keepDir(&dir), Compare: sameStat(false, func() string { return dir }, "x", "x/y"), States: states,
		Rejects: []Reject{{`{"dest":"x","repo":"/r"}`, "dest"}, {`{"dest":"/x"}`, "repo"}, {`{"dest":"/x","repo":"--upload-pack=x"}`, "repo"}, {`{"dest":"/x","repo":"/r","version":"-f"}`, "version"},
			{`{"dest":"/x","repo":"/r","version":"a b"}`, "version"}, {`{"dest":"/x","repo":"/r","depth":0}`, "depth"}, {`{"dest":"/x","repo":"/r","environment":{"":"b"}}`, "environment"}}}
}
