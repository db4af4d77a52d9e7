package host

import "context"

// Container is a container of Docker or Podman, as it was made and as it is.
type Container struct {
	Name       string            `json:"name"`
	Image      string            `json:"image"`              // as asked for when it was made
	ImageID    string            `json:"image_id,omitempty"` // "": not known, the image is yet to be pulled (a plan)
	Network    string            `json:"network"`            // none, bridge, host, or the name of a network
	Ports      []string          `json:"ports,omitempty"`    // [ADDRESS:]HOSTPORT:PORT[/udp], sorted
	Volumes    []string          `json:"volumes,omitempty"`  // SOURCE:TARGET[:ro]
	Env        map[string]string `json:"env,omitempty"`      // those of the image included
	Labels     map[string]string `json:"labels,omitempty"`   // those of the image included
	Command    []string          `json:"command,omitempty"`
	AutoRemove bool              `json:"auto_remove,omitempty"`
	Restart    string            `json:"restart,omitempty"` // no, always, unless-stopped, on-failure
	Privileged bool              `json:"privileged,omitempty"`
	Hostname   string            `json:"hostname,omitempty"`

	Running   bool     `json:"running,omitempty"`
	PID       int      `json:"pid,omitempty"`       // of its first process; 0: it does not run, or this is a plan
	Status    int      `json:"status,omitempty"`    // how it ended, when it does not run
	Addresses []string `json:"addresses,omitempty"` // of its interfaces, without prefix; a plan does not know them
}

// Image is what containers are made from.
type Image struct {
	ID     string            `json:"id"`
	Env    map[string]string `json:"env,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`

	Command []string `json:"command,omitempty"`
}

// Containers reads and changes the containers of one engine. Where none answers, errors match ErrUnsupported.
type Containers interface {
	// Engine tells which one answers: docker or podman.
	Engine(ctx context.Context) (string, error)
	List(ctx context.Context) ([]Container, error)
	Get(ctx context.Context, name string) (Container, error) // ErrNotExist
	// Image looks for an image of this host by name or ID: ErrNotExist.
	Image(ctx context.Context, ref string) (Image, error)
	// Create makes a container, after pulling its image if that is missing. It does not run yet. ErrExist.
	Create(ctx context.Context, c Container) error
	Start(ctx context.Context, name string) error
	// Stop ends the processes of a container, which then waits, or is gone if it was to remove itself.
	Stop(ctx context.Context, name string) error
	// Delete removes a container, running or not, with its anonymous volumes: ErrNotExist.
	Delete(ctx context.Context, name string) error
}

// ContainerNetNS begins a reference to the network namespace of a container by name.
const ContainerNetNS = "container:"
