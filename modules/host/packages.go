package host

import (
	"context"
	"time"
)

// PackageChange is one transaction of a package manager, after Update.
type PackageChange struct {
	Update     bool     // fetch the lists of what there is first
	Install    []string // names of what is not there, or with Version of what shall be of that version
	Upgrade    []string // names of what is there, to the newest version
	Version    string   // of the one that is installed, * at its end for any rest; "": the newest
	Remove     []string
	Recommends *bool // install what is recommended, too; nil: as the package manager does by itself
}

// Packages is the package manager of the machine: apt, dnf, zypper or apk. ErrUnsupported where there is none.
type Packages interface {
	// Installed returns the versions of those of names that are installed, "" for what an installed package provides; of
	// all that are installed when names is nil.
	Installed(ctx context.Context, names []string) (map[string]string, error)
	// Candidates returns the versions that an install would bring, as far as the lists know them; "" for what is provided.
	Candidates(ctx context.Context, names []string) (map[string]string, error)
	// Updated tells when the lists were fetched; zero: never.
	Updated(ctx context.Context) (time.Time, error)
	Change(ctx context.Context, c PackageChange) error
}
