package linux

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"labctl/agent/linux/internal/ovsdb"
	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// vswitch is what a host knows of its Open vSwitch.
type vswitch struct {
	dir    string        // where the sockets are; "": OVS_RUNDIR, else the usual place
	taking time.Duration // how long ovs-vswitchd may take; 0: the time below

	silent atomic.Bool // ovs-vswitchd was waited for in vain

	mu    sync.Mutex
	last  *ovsDatabase
	dumps map[string]*flowDump    // by version and bridge
	words map[string]host.OVSFlow // canonical flows by version and line
}

// ovsDatabase is all of it as last read.
type ovsDatabase struct {
	*host.OVSState
	uuids   map[host.OVSKey]string
	qos     map[string]qosRow // of ports
	read    time.Time
	changes int64
}

const (
	ovsDB = "Open_vSwitch"
	// starting is how long a database that is being started is waited for, taking the time for ovs-vswitchd to take changes over.
	starting, taking = 5 * time.Second, 15 * time.Second
)

// OVS is the Open vSwitch of this machine.
func (h *Host) OVS() host.OVS { return openvswitch{h} }

type openvswitch struct{ h *Host }

// rundir is where the daemons have their sockets (ovs-vsctl(8), --db).
func (o openvswitch) rundir() string {
	for _, dir := range []string{o.h.vs.dir, os.Getenv("OVS_RUNDIR")} {
		if dir != "" {
			return dir
		}
	}
	return "/var/run/openvswitch"
}

// dial connects to the database, waiting as long as patience for it. ErrUnsupported when there is none.
func (o openvswitch) dial(ctx context.Context, patience time.Duration) (*ovsdb.Conn, error) {
	path := filepath.Join(o.rundir(), "db.sock")
	for start := time.Now(); ; {
		c, err := ovsdb.Dial(path)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ECONNREFUSED) {
			return nil, failed("open the database of Open vSwitch", "", err)
		}
		if o.h.lookTool("ovs-vswitchd") == "" {
			return nil, &host.Error{Op: "open Open vSwitch", Kind: host.ErrUnsupported,
				Err: fmt.Errorf("%s is not there: install the package openvswitch-switch (openvswitch on other distributions than Debian's)", path)}
		}
		if time.Since(start) >= patience {
			return nil, &host.Error{Op: "open Open vSwitch", Kind: host.ErrUnsupported,
				Err: fmt.Errorf("%s does not answer: start the service openvswitch-switch (openvswitch on other distributions than Debian's)", path)}
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// changes counts what may have changed the database, or what ovs-vswitchd says of devices.
func (o openvswitch) changes() int64 { return o.h.writes.Load() + int64(o.h.nf.changes.Load()) }

// state returns the database, read anew unless it was a moment ago and nothing has been done since.
func (o openvswitch) state(ctx context.Context, patience time.Duration) (*ovsDatabase, error) {
	o.h.vs.mu.Lock()
	defer o.h.vs.mu.Unlock()
	if d := o.h.vs.last; d != nil && d.changes == o.changes() && time.Since(d.read) < dumpLife {
		return d, nil
	}
	c, err := o.dial(ctx, patience)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	d, err := o.readLocked(ctx, c)
	if err != nil {
		return nil, failed("read the database of Open vSwitch", "", err)
	}
	return d, nil
}

func (o openvswitch) readLocked(ctx context.Context, c *ovsdb.Conn) (*ovsDatabase, error) {
	now := o.changes()
	d, err := readDatabase(ctx, c)
	if err != nil {
		return nil, err
	}
	d.read, d.changes = time.Now(), now
	o.h.vs.last = d
	return d, nil
}

func (o openvswitch) State(ctx context.Context) (*host.OVSState, error) {
	d, err := o.state(ctx, 0)
	if err != nil {
		return nil, err
	}
	return d.OVSState, nil
}

// Row of an interface that does not work waits a moment when its device is there: ovs-vswitchd is about to see it.
func (o openvswitch) Row(ctx context.Context, table, name string) (host.OVSRow, string, error) {
	for start := time.Now(); ; {
		d, err := o.state(ctx, starting)
		if err != nil {
			return nil, "", err
		}
		row, holder := d.Row(host.OVSKey{Table: table, Name: name})
		if table != "Interface" {
			return row, holder, nil
		}
		device := o.device(ctx, name)
		if row["error"] == nil {
			if fault := d.Fault(name, device); fault != "" {
				row = host.OVSChange{OVSKey: host.OVSKey{Table: table}, Set: host.OVSRow{"error": {fault}}}.Row(row)
			}
			return row, holder, nil
		}
		if time.Since(start) > time.Second || device == nil {
			return row, holder, nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return nil, "", err
		}
		o.forget()
	}
}

// device is the network device of a name, nil if there is none.
func (o openvswitch) device(ctx context.Context, name string) *host.Link {
	if n, err := o.h.net(""); err == nil {
		if l, err := n.Links().Get(ctx, name); err == nil {
			return &l
		}
	}
	return nil
}

func (o openvswitch) forget() {
	o.h.vs.mu.Lock()
	defer o.h.vs.mu.Unlock()
	o.h.vs.last = nil
}
