package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"labctl/inventory"
	"labctl/transport"
)

// placeFlags say in which site the hosts of a verb are, and how they are reached.
type placeFlags struct {
	siteFlags
	connectFlags
	at string
}

func (f *placeFlags) register(cmd *cobra.Command) {
	f.siteFlags.register(cmd)
	f.connectFlags.register(cmd)
	f.keyFlags.batch = &f.connectFlags.batch
	registerPlace(cmd, &f.at)
}

func registerPlace(cmd *cobra.Command, at *string) {
	cmd.Flags().StringVar(at, "site", "", "site that declares the hosts (default: the working directory; none if there is -i)")
}

// placePath is the site to load: at if that is given, else the working directory, or "" for none where -i says what hosts
// there are, or where there is no site and all that is wanted of it is this machine.
func placePath(at string, s *siteFlags, wanted string) string {
	if at == "" && len(s.inventory) == 0 && (wanted != "localhost" || hasSite(".")) {
		return "."
	}
	return at
}

// hasSite reports whether a directory holds what a site is made of.
func hasSite(dir string) bool {
	files, _ := filepath.Glob(filepath.Join(dir, "*.hcl"))
	return len(files) > 0
}

// place loads the hosts; wanted is a pattern for those that the verb is about, or "".
func (a *app) place(f *placeFlags, wanted string) (*site, error) {
	path := placePath(f.at, &f.siteFlags, wanted)
	f.hosts = true
	st, err := a.load(path, &f.siteFlags)
	if err == nil && path == "" {
		st.path = "." // whose sandbox it is about
	}
	return st, err
}

// reached is a host that a verb talks to itself.
type reached struct {
	transport.Conn
	host  *inventory.Host
	local bool // this machine, without SSH
	close func()
}

// reach connects to the one host that a pattern names. Of a pattern that names more, limits says what the verb does with one.
func (a *app) reach(ctx context.Context, f *placeFlags, pattern, limits string) (*reached, error) {
	st, err := a.place(f, pattern)
	if err != nil {
		return nil, err
	}
	h, err := st.oneHost(pattern, limits)
	if err != nil {
		return nil, err
	}
	opener, _, done, err := a.opener(st, &f.connectFlags, a.logf(f.verbose))
	if err != nil {
		return nil, err
	}
	conn, local, err := opener.Dial(ctx, h)
	if err != nil {
		done()
		return nil, err
	}
	return &reached{Conn: conn, host: h, local: local, close: func() { _ = conn.Close(); done() }}, nil
}
