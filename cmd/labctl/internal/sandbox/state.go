package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"labctl/cmd/labctl/internal/wholefile"
)

// State is a sandbox that is up, as recorded in DIR/NAME/state.json.
type State struct {
	Name       string      `json:"name"`
	Dir        string      `json:"dir"`        // of this sandbox
	Supervisor process     `json:"supervisor"` // holds all of it
	Topology   Topology    `json:"topology"`
	Hosts      []HostState `json:"hosts"` // in the topology's order

	Allocated map[string]netip.Addr `json:"allocated,omitempty"` // addresses given out, by purpose
	Changed   []string              `json:"-"`                   // what the Up that returned this did, one line each
}

// HostState is one host of a sandbox, with all that a client needs to log in.
type HostState struct {
	Name         string     `json:"name"`
	Address      string     `json:"address"` // to dial from this computer's or the last jump host's point of view
	IP           netip.Addr `json:"ip"`      // the same as an address
	Port         int        `json:"port"`
	User         string     `json:"user"`
	Jump         []string   `json:"jump,omitempty"`
	Entry        string     `json:"entry,omitempty"` // 127.0.0.1:PORT, for hosts without a jump host
	IdentityFile string     `json:"identity_file"`
	KnownHosts   string     `json:"known_hosts"` // file; it knows the host by name, by address and by entry
	HostKey      string     `json:"host_key"`    // public, as in authorized_keys
	InitPID      int        `json:"init_pid"`
	InitStart    uint64     `json:"init_start"`        // clock ticks after boot, field 22 of proc_pid_stat(5)
	NetNS        string     `json:"netns"`             // path; of a guest: where its cables end
	Kernel       string     `json:"kernel"`            // KernelShared or KernelGuest
	Release      string     `json:"release,omitempty"` // of a guest's kernel
	Alive        bool       `json:"-"`                 // its init runs, as Load sees it
}

// process names a process so that a reused pid is never mistaken for it.
type process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"`
}

// ErrNotUp is what the error wraps when there is no sandbox of that name.
var ErrNotUp = errors.New("no such sandbox")

// Host finds a host by name.
func (s *State) Host(name string) (HostState, error) {
	i := slices.IndexFunc(s.Hosts, func(h HostState) bool { return h.Name == name })
	if i < 0 {
		return HostState{}, fmt.Errorf("sandbox %q has no host %q", s.Name, name)
	}
	return s.Hosts[i], nil
}

// Running reports whether the supervisor lives; without it no host does.
func (s *State) Running() bool { return s.Supervisor.alive() }

// Load reads the state of a sandbox; the error wraps ErrNotUp if there is none.
func Load(dir, name string) (*State, error) {
	if !validName.MatchString(name) {
		return nil, fmt.Errorf("sandbox %q: %w", name, ErrNotUp)
	}
	text, err := os.ReadFile(filepath.Join(dir, name, stateFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("sandbox %q: %w", name, ErrNotUp)
	}
	if err != nil {
		return nil, fmt.Errorf("read sandbox %q: %w", name, err)
	}
	s := &State{}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("read sandbox %q: %w", name, err)
	}
	for i, h := range s.Hosts {
		s.Hosts[i].Alive = process{h.InitPID, h.InitStart}.alive()
	}
	return s, nil
}

// List loads every sandbox under dir, in the order of their names. One that cannot be read is
// left out and reported in the joined error.
func List(dir string) ([]*State, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list sandboxes: %w", err)
	}
	var list []*State
	var faults []error
	for _, e := range entries {
		s, err := Load(dir, e.Name())
		switch {
		case err == nil:
			list = append(list, s)
		case !errors.Is(err, ErrNotUp):
			faults = append(faults, err)
		}
	}
	return list, errors.Join(faults...)
}

// save writes the state so that a reader sees the old or the new one whole.
func (s *State) save() error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	return wholefile.Write(wholefile.File{Path: filepath.Join(s.Dir, stateFile), Content: append(text, '\n'), Private: true})
}

// Files of a sandbox's directory.
const (
	stateFile   = "state.json"
	identity    = "id_ed25519"
	knownHosts  = "known_hosts"
	hostKeys    = "hostkeys.json"
	controlSock = "control"
	logFile     = "log"
	pidFile     = "supervisor.json"
)
