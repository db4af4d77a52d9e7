package linux

import (
	"context"
	"errors"
	"strings"
)

// aptCandidates reads what apt-cache(8) policy says. It passes over names that it does not know; (none) is a name that others provide.
func aptCandidates(_ context.Context, run func(...string) (string, error), names []string) (map[string]string, error) {
	text, err := run(append([]string{"apt-cache", "policy"}, names...)...)
	out := map[string]string{}
	name := ""
	for line := range strings.SplitSeq(text, "\n") {
		if n, ok := strings.CutSuffix(line, ":"); ok && line[0] != ' ' {
			name = n
		}
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "Candidate: "); ok {
			if v == "(none)" {
				v = ""
			}
			out[name] = v
		}
	}
	return out, err
}

// apkCandidates reads lines of NAME-VERSION.
func apkCandidates(_ context.Context, run func(...string) (string, error), names []string) (map[string]string, error) {
	text, err := run(append([]string{"apk", "search", "-e"}, names...)...)
	out := map[string]string{}
	for _, n := range names {
		for line := range strings.SplitSeq(text, "\n") {
			if v, ok := strings.CutPrefix(line, n+"-"); ok && strings.Count(v, "-") == 1 && v[0] >= '0' && v[0] <= '9' {
				out[n] = v
			}
		}
	}
	return out, err
}

// rpmInstalled asks rpm(8). An epoch of 0 is none, as dnf(8) writes it.
func rpmInstalled(ctx context.Context, h *Host, _ *manager) (installed, error) {
	out := installed{map[string]string{}, map[string]bool{}}
	text, err := runTool(ctx, h.lookTool("rpm"), "", "-qa", "--qf", `%{NAME}\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\t%{ARCH}\t[%{PROVIDENAME} ]\n`)
	for line := range strings.SplitSeq(text, "\n") {
		f := strings.Split(line, "\t")
		if len(f) < 4 {
			continue
		}
		version := strings.TrimPrefix(f[1], "0:")
		out.versions[f[0]], out.versions[f[0]+"."+f[2]] = version, version
		provide(out.provides, f[3], " ")
	}
	return out, err
}

func dnfCandidates(_ context.Context, run func(...string) (string, error), names []string) (map[string]string, error) {
	text, err := run(append([]string{"dnf", "-q", "repoquery", "--latest-limit=1", "--qf", `%{name} %{evr}\n`}, names...)...)
	out := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		if n, v, ok := strings.Cut(line, " "); ok {
			out[n] = strings.TrimPrefix(v, "0:")
		}
	}
	return out, err
}

// zypperCandidates reads the table of zypper(8) search: status, name, type, version, architecture, repository; the newest first.
func zypperCandidates(_ context.Context, run func(...string) (string, error), names []string) (map[string]string, error) {
	text, err := run(append([]string{"zypper", "-n", "-q", "search", "-s", "--match-exact", "-t", "package"}, names...)...)
	if te, ok := errors.AsType[*toolError](err); ok && te.status == 104 { // ZYPPER_EXIT_INF_CAP_NOT_FOUND
		err = nil
	}
	out := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		f := strings.Split(line, "|")
		if len(f) < 6 || strings.Contains(f[5], "(System Packages)") {
			continue
		}
		if n := strings.TrimSpace(f[1]); out[n] == "" {
			out[n] = strings.TrimSpace(f[3])
		}
	}
	return out, err
}
