package modules

import (
	"context"
	"fmt"
	"path"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[GetURL]{
		Name: "get_url", Slow: true,
		Doc: "Puts a file in place that is downloaded: by the host itself, with its curl, wget or Python, or by labctl for a host that has no way to the Internet. A file that is there is right unless a checksum says otherwise. The timeout of the task bounds the download.",
		Example: `get_url "/usr/local/bin/" {
  url      = "https://example.org/releases/tool-1.2"
  checksum = "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
  through  = "controller"
  mode     = "0755"
}
`,
		Validate: (*GetURL).validate, Complete: (*GetURL).complete, Read: readURL, Apply: applyURL,
	})
}

// GetURL is a file with where it comes from.
type GetURL struct {
	Dest        string            `json:"dest" lab:"key" doc:"Absolute path of the file. One that ends with / gets the name that ends the URL."`
	URL         string            `json:"url,omitempty" lab:"option" doc:"Where to download it from: https, http or, by the host, ftp."`
	Checksum    string            `json:"checksum,omitempty" doc:"SHA-256 of the content, as sha256:HEX: another file is replaced, and a download that is otherwise refused. None: whatever is there is right."`
	Through     string            `json:"through,omitempty" lab:"option" enum:"host,controller" default:"host" doc:"Who downloads: the host, or controller, where labctl runs, which then sends the file as copy does, once it has what the checksum says; it takes its proxies from https_proxy and such."`
	Environment map[string]string `json:"environment,omitempty" lab:"option" doc:"Variables for the download by the host, such as https_proxy."`
	fileAttrs
}

// controller is the value of through that has labctl itself do it.
const controller = "controller"

const sha256Prefix = "sha256:"

func (g *GetURL) validate() error {
	scheme, rest, _ := strings.Cut(g.URL, "://")
	switch {
	case g.URL == "":
	case scheme == "file":
		return argf("url", "%q is a file: copy brings one of the controller, and a command copies one of the host", g.URL)
	case scheme != "https" && scheme != "http" && (scheme != "ftp" || g.Through == controller), rest == "", strings.ContainsAny(rest, " \t\n\x00"):
		return argf("url", "%q is not a URL with https:// or http://", g.URL)
	}
	if strings.HasSuffix(g.Dest, "/") {
		name, _, _ := strings.Cut(rest, "?")
		if i := strings.LastIndexByte(name, '/'); i < 0 || i == len(name)-1 {
			return argf("dest", "%s is a directory, and the URL ends with no name: name the file in it", g.Dest)
		}
		g.Dest += path.Base(name)
	}
	if g.Checksum != "" {
		sum := content{SHA256: strings.TrimPrefix(g.Checksum, sha256Prefix)}
		if err := sum.validate(); err != nil || !strings.HasPrefix(g.Checksum, sha256Prefix) {
			return argf("checksum", "%q is not sha256: and 64 hexadecimal digits", g.Checksum)
		}
		g.Checksum = sha256Prefix + sum.SHA256
	}
	if g.Through == controller && g.Environment != nil {
		return argf("environment", "is for a download by the host: with through = %q labctl's own environment counts", controller)
	}
	return firstFault(absolute("dest", g.Dest), validEnvironment(g.Environment), g.fileAttrs.validate())
}

func (g *GetURL) complete() error {
	switch {
	case g.URL == "":
		return argf("url", "required argument is missing")
	case g.Through == controller && g.Checksum == "":
		return argf("checksum", "is needed with through = %q: by it the host knows whether it has the file", controller)
	}
	return nil
}

func readURL(ctx context.Context, h host.Host, want *GetURL) (*GetURL, error) {
	st, err := stat(ctx, h, want.Dest, want.Checksum != "")
	if err != nil || st == nil || st.Type == host.SymbolicLink { // a link that leads nowhere: written through
		return nil, err
	}
	if st.Type != host.RegularFile {
		return nil, fmt.Errorf("%s is not a regular file", want.Dest)
	}
	have := &GetURL{Dest: want.Dest, fileAttrs: want.fileAttrs.read(*st)}
	if want.Checksum != "" {
		have.Checksum = sha256Prefix + st.SHA256
	}
	return have, nil
}

func applyURL(ctx context.Context, h host.Host, have, want *GetURL, d Diff) error {
	f := h.Files()
	switch {
	case want == nil:
		return f.Remove(ctx, have.Dest, false)
	case have != nil && !d.Has("checksum"):
		st, err := stat(ctx, h, want.Dest, false)
		if err != nil || st == nil {
			return err
		}
		return f.SetAttrs(ctx, st.Path, want.set())
	}
	if err := inDirectory(ctx, h, want.Dest); err != nil {
		return err
	}
	if host.Planning(h) || want.Through == controller {
		return f.Write(ctx, want.Dest, host.Content{SHA256: want.sum()}, want.set())
	}
	temp, err := want.download(ctx, h)
	if err != nil {
		return err
	}
	err = want.place(ctx, f, temp, have)
	if rest := f.Remove(ctx, temp, false); err == nil {
		err = rest
	}
	return err
}

// sum is the SHA-256 that the file will have, as far as anybody knows.
func (g *GetURL) sum() string {
	if g.Checksum == "" {
		return strings.Repeat("0", 64)
	}
	return strings.TrimPrefix(g.Checksum, sha256Prefix)
}

// place moves the download to where it belongs, with the attributes that are wanted or were there.
func (g *GetURL) place(ctx context.Context, f host.Files, temp string, have *GetURL) error {
	st, err := f.Stat(ctx, temp, g.Checksum != "")
	if err != nil {
		return err
	}
	if g.Checksum != "" && sha256Prefix+st.SHA256 != g.Checksum {
		return fmt.Errorf("download %s: its checksum is %s%s, not %s", g.URL, sha256Prefix, st.SHA256, g.Checksum)
	}
	attrs := fileAttrs{Mode: ptr("0644")}
	if have != nil {
		attrs = have.fileAttrs
	}
	for _, a := range []struct{ to, from **string }{{&attrs.Mode, &g.Mode}, {&attrs.Owner, &g.Owner}, {&attrs.Group, &g.Group}} {
		if *a.from != nil {
			*a.to = *a.from
		}
	}
	if err := f.SetAttrs(ctx, temp, attrs.set()); err != nil {
		return err
	}
	return f.Copy(ctx, temp, g.Dest)
}

// download prints the name of the file that it makes beside $1 of what is at $2. None of the three may be led to a file.
const download = `umask 077
temp=$(mktemp "$1.XXXXXX") || exit 1
trap 'test $? = 0 || rm -f "$temp"' EXIT
trap 'exit 1' HUP INT TERM
if command -v curl >/dev/null; then curl -fsSL --proto =https,http,ftp -o "$temp" -- "$2"
elif command -v wget >/dev/null; then wget -q -O "$temp" -- "$2" || { rc=$?; echo "wget exits with $rc" >&2; exit 1; }
elif command -v python3 >/dev/null; then python3 -c 'import shutil, sys, urllib.request
try:
    with urllib.request.urlopen(sys.argv[2]) as r, open(sys.argv[1], "wb") as w: shutil.copyfileobj(r, w)
except OSError as e: sys.exit(str(e))' "$temp" "$2"
else echo "there is no curl, wget or python3 to download with" >&2; exit 127
fi && echo "$temp"`

func (g *GetURL) download(ctx context.Context, h host.Host) (string, error) {
	out, err := runTool(ctx, h.Commands().Run, g.Environment, download, g.Dest, g.URL)
	if err != nil {
		return "", fmt.Errorf("download %s: %w", g.URL, err)
	}
	return out, nil
}
