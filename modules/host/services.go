package host

import "context"

// Service is what the init system knows of a service. In Set nil is left alone.
type Service struct {
	Name    string `json:"name"`
	Running *bool  `json:"running,omitempty"` // nil: its script does not tell
	Enabled *bool  `json:"enabled,omitempty"` // started at boot
	Masked  *bool  `json:"masked,omitempty"`  // cannot be started; nil: only systemd masks
	Static  bool   `json:"static,omitempty"`  // can neither be enabled nor disabled
	Stale   bool   `json:"-"`                 // its file has changed since the init system read it
	Planned bool   `json:"-"`                 // a plan's: not there yet, but packages that may bring it are to be installed
}

// What Act does.
const (
	Restart      = "restart" // starts what does not run
	Reload       = "reload"
	DaemonReload = "daemon-reload" // reads the files of all services again
)

// Services are those of the init system that runs: systemd, OpenRC or, where neither does, the scripts in /etc/init.d.
type Services interface {
	// Get describes a service. ErrNotExist.
	Get(ctx context.Context, name string) (Service, error)
	// Set starts, stops, enables, disables and masks.
	Set(ctx context.Context, s Service) error
	Act(ctx context.Context, action, name string) error
	// List describes all services.
	List(ctx context.Context) ([]Service, error)
}

// ServiceFiles returns where the file of a service may be: a unit of systemd (systemd.unit(5)), or a script.
func ServiceFiles(name string) []string {
	return []string{"/etc/systemd/system/" + name, "/etc/systemd/system/" + name + ".service", "/usr/lib/systemd/system/" + name,
		"/usr/lib/systemd/system/" + name + ".service", "/lib/systemd/system/" + name + ".service", "/etc/init.d/" + name}
}
