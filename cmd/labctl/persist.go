package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"labctl/transport"
	"labctl/transport/persist"
)

// persistVariable is on, off, or for how many seconds connections are kept; see docs/connections.md.
const persistVariable = "LABCTL_PERSIST"

// persistence is whether connections are kept for the next run, and for how long where nothing else is said: 0 for as long as
// usual. In a sandbox they are where that is asked for: its machines are near, and come and go.
func persistence(f *connectFlags) (keep bool, usual time.Duration, err error) {
	switch v := os.Getenv(persistVariable); v {
	case "":
		keep = !f.sandbox
	case "on":
		keep = true
	case "off":
	default:
		n, err := strconv.ParseUint(v, 10, 31)
		if err != nil {
			return false, 0, fmt.Errorf("%s=%s is none of on, off and a number of seconds", persistVariable, v)
		}
		keep, usual = n > 0, time.Duration(n)*time.Second
	}
	return keep && !f.noPersist && persist.Available, usual, nil
}

// findKept begins to look for the connections that are kept, and for who keeps them. The sooner, the less there is to wait for.
func (f *connectFlags) findKept(logf func(string, ...any)) error {
	keep, usual, err := persistence(f)
	if err != nil || !keep || f.kept != nil {
		return err
	}
	dir, err := persist.Dir()
	if err != nil {
		logf("connections are not kept: %v", err)
		return nil
	}
	f.kept, f.usual = persist.Find(dir), usual
	return nil
}

// dialer is a pool of this run's own, or one whose connections are kept for the next run.
func dialer(f *connectFlags, o transport.Options) (transport.Dialer, error) {
	if err := f.findKept(o.Logf); err != nil {
		return nil, err
	}
	if f.kept == nil {
		return transport.NewPool(o), nil
	}
	return persist.NewDialer(f.kept, persist.Settings{Options: o, Usual: f.usual}), nil
}
