package modules

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Unarchive]{
		Name: "unarchive", Slow: true,
		Doc: "Unpacks an archive that is on the host (copy or get_url bring it there) with the host's tar or unzip: .zip, or whatever its tar reads, such as .tar, .tar.gz and .tar.xz. It does so unless all of it is there already: tar compares types and contents (that of BusyBox, which cannot, only names), for a zip names and sizes are compared. creates spares that.",
		Example: `unarchive "/var/cache/tool-1.2.tar.xz" {
  dest             = "/opt/tool"
  strip_components = 1
  creates          = "/opt/tool/bin/tool"
}
`,
		Validate: (*Unarchive).validate, Pending: pendingUnarchive, Run: runUnarchive,
	})
}

// Unarchive is an archive to unpack.
type Unarchive struct {
	Src     string `json:"src" lab:"key" doc:"Absolute path of the archive on the host."`
	Dest    string `json:"dest" lab:"required" doc:"Absolute path of the directory to unpack it in, which is there."`
	Strip   *int   `json:"strip_components,omitempty" lab:"option" doc:"How many leading directories of the names to leave out; tar only."`
	Creates string `json:"creates,omitempty" lab:"option" doc:"Path that is there once it is unpacked: nothing is done then."`
}

func (u *Unarchive) validate() error {
	if u.Creates != "" {
		if err := absolute("creates", u.Creates); err != nil {
			return err
		}
	}
	if u.Strip != nil && u.zip() {
		return argf("strip_components", "unzip cannot leave out directories")
	}
	return firstFault(absolute("src", u.Src), absolute("dest", u.Dest), inRange("strip_components", u.Strip, 0, 100))
}

func (u *Unarchive) zip() bool { return strings.HasSuffix(strings.ToLower(u.Src), ".zip") }

// The scripts get archive, directory, number of components, the SHA-256 that the archive is to have, and how it
// is compressed, which BusyBox may want to know. Whom files belong to and
// what may be done with them is for module file to say; who is not root could not keep it anyway. The time of a directory is that
// of the last file put into it. What has no name left is not there. A zip's list is unzip's own, so that what it would not unpack
// is not missed.
const (
	isArchive = `test -z "$4" || test "$(sha256sum <"$1")" = "$4  -" || exit 1
`
	tarIsThere = isArchive + `if tar --version 2>&1 | grep -qi busybox
then tar -t$5 -f "$1" | { while IFS= read -r name; do
  i=0; while test $i -lt "$3"; do case $name in */*) name=${name#*/} ;; *) name= ;; esac; i=$((i+1)); done
  test -z "$name" || test -e "$2/$name" || test -h "$2/$name" || exit 1
done; }; exit
fi
out=$(tar -d$5 -f "$1" -C "$2" --strip-components="$3" 2>&1) && exit
test $? = 1 && ! printf '%s\n' "$out" | grep -vqE ': (Uid|Gid|Mode|Mod time) differs$|^tar: : Warning: Cannot stat: '`
	zipIsThere = isArchive + `list=$(unzip -Z -l "$1") && cd "$2" || exit 1
printf '%s\n' "$list" | sed -n 's/^[-dl?][^ ]*  *[^ ]*  *[^ ]*  *\([0-9]*\) [^ ]*  *[0-9]* [^ ]* [^ ]* [^ ]* /\1 /p' | { n=0; while IFS=' ' read -r size name; do
  n=$((n+1))
  case $name in */) test -d "$name" ;; *) test "$(stat -c %s -- "$name" 2>&1)" = "$size" ;; esac || exit 1
done; test $n = "$(unzip -Z1 "$1" | wc -l)"; }`
	untar = `tar -x$5 -f "$1" -C "$2" --strip-components="$3"`
	unzip = `if command -v unzip >/dev/null; then unzip -oq "$1" -d "$2"
elif command -v python3 >/dev/null; then python3 -m zipfile -e "$1" "$2"
else echo "there is no unzip or python3 to unpack it with" >&2; exit 127
fi`
)

func pendingUnarchive(ctx context.Context, h host.Host, want *Unarchive) (bool, error) {
	if want.Creates != "" {
		if st, err := stat(ctx, h, want.Creates, false); err != nil || st != nil {
			return false, err
		}
	}
	if err := inDirectory(ctx, h, want.Dest+"/x"); err != nil {
		return false, err
	}
	src, err := stat(ctx, h, want.Src, host.Planning(h))
	switch {
	case err != nil:
		return false, err
	case src == nil && host.Planning(h):
		return true, nil // what makes it may be a command, which a plan does not run
	case src == nil || src.Type != host.RegularFile:
		return false, fmt.Errorf("there is no archive %s: bring it there first, with copy or get_url", want.Src)
	}
	script := tarIsThere
	if want.zip() {
		script = zipIsThere
	}
	_, err = want.tool(ctx, h.Commands().Check, script, src.SHA256)
	return err != nil, ctx.Err()
}

func (u *Unarchive) tool(ctx context.Context, run func(context.Context, host.Exec) (host.ExecResult, error), script, sum string) (string, error) {
	strip := 0
	if u.Strip != nil {
		strip = *u.Strip
	}
	how := ""
	for _, suffix := range []string{"gz z", "tgz z", "bz2 j", "xz J"} {
		if end, letter, _ := strings.Cut(suffix, " "); strings.HasSuffix(u.Src, "."+end) {
			how = letter
		}
	}
	return runTool(ctx, run, nil, script, u.Src, u.Dest, strconv.Itoa(strip), sum, how)
}

func runUnarchive(ctx context.Context, h host.Host, want *Unarchive) (*Unarchive, bool, error) {
	script := untar
	if want.zip() {
		script = unzip
	}
	_, err := want.tool(ctx, h.Commands().Run, script, "")
	return want, true, err
}
