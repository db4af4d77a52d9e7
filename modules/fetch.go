package modules

import (
	"context"
	"errors"
	"fmt"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Fetch]{
		Name: "fetch",
		Doc:  "Brings a file of the host home, to where labctl runs, through whatever jump hosts lead there. It does so unless the file is there already and the same. What is brought may be read by its owner alone; a file that is replaced keeps its permissions.",
		Example: `fetch "/etc/ssh/ssh_host_ed25519_key.pub" { dest = "fetched/" }
fetch "/var/log/syslog" { dest = "logs/${host.name}.log" }
`,
		Validate: (*Fetch).validate, Pending: pendingFetch, Run: runFetch,
	})
}

// Fetch is a file that is brought home. The controller fills in what it has.
type Fetch struct {
	Path   string `json:"path" lab:"key" doc:"Absolute path of the file on the host. A symbolic link is followed."`
	Dest   string `json:"dest" lab:"required,home" doc:"File on the controller, relative to the playbook; directories above it are made. One that ends with / is a directory, in which the file gets the name of the host and its path: fetched/ makes it fetched/HOST/PATH."`
	Have   string `json:"have,omitempty" lab:"option,filled" doc:"SHA-256 of what is there on the controller; filled in."`
	SHA256 string `json:"sha256,omitempty" lab:"computed" doc:"SHA-256 of the file in hexadecimal."`
	Size   *int64 `json:"size,omitempty" lab:"computed" doc:"Its size in bytes."`
}

func (f *Fetch) validate() error {
	return absolute("path", f.Path)
}

func pendingFetch(ctx context.Context, h host.Host, want *Fetch) (bool, error) {
	st, err := stat(ctx, h, want.Path, true)
	switch {
	case err != nil:
		return false, err
	case st == nil && host.Planning(h):
		return true, nil // what makes it may be a command, which a plan does not run
	case st == nil:
		return false, fmt.Errorf("there is no file %s", want.Path)
	case st.Type == host.Directory:
		return false, fmt.Errorf("%s is a directory: fetch its files one by one, with for_each", want.Path)
	case st.Type != host.RegularFile:
		return false, fmt.Errorf("%s is not a regular file", want.Path)
	}
	return st.SHA256 != want.Have, nil
}

func runFetch(ctx context.Context, h host.Host, want *Fetch) (*Fetch, bool, error) {
	out, home := *want, host.HomeOf(ctx)
	if home == nil {
		return &out, false, errors.New("there is nobody to take the file")
	}
	err := h.Files().CopyTo(ctx, want.Path, home)
	if err != nil {
		return &out, false, err
	}
	var size int64
	out.SHA256, size, err = home.Whole()
	out.Size, out.Have = &size, ""
	return &out, true, err
}
