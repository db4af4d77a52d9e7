package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/spf13/cobra"

	"labctl/inventory"
	"labctl/runner"
	"labctl/transport"
)

func (a *app) tunnelCmd() *cobra.Command {
	var f placeFlags
	cmd := &cobra.Command{
		Use:   "tunnel [NAME...]",
		Short: "Listen where the site's tunnels begin, as ssh -L does",
		Long: `Listens at the 'listen' address of each tunnel that is named (default: all of
the site), and has what connects there connected to its 'to' address, as its
'host' sees it, until Ctrl-C. It is for other programs: labctl itself reaches
hosts at a tunnel without it.

    labctl tunnel database & psql -h 127.0.0.1 -p 5433

A connection to the host that is lost is made anew for the next who connects.`,
		ValidArgsFunction: named(a.tunnels),
		RunE: func(cmd *cobra.Command, args []string) error {
			st, err := a.place(&f, "")
			if err != nil {
				return err
			}
			tunnels, err := tunnelsOf(st.Inventory, args)
			if err != nil {
				return err
			}
			opener, _, done, err := a.opener(st, &f.connectFlags, a.logf(f.verbose))
			if err != nil {
				return err
			}
			defer done()
			return a.openTunnels(cmd.Context(), opener, tunnels)
		},
	}
	f.register(cmd)
	return cmd
}

// tunnelsOf returns the tunnels of those names, or all.
func tunnelsOf(inv *inventory.Inventory, wanted []string) ([]*inventory.Tunnel, error) {
	if len(inv.Tunnels) == 0 {
		return nil, errors.New("the site has no tunnel block")
	}
	if len(wanted) == 0 {
		return inv.Tunnels, nil
	}
	var names []string
	byName := map[string]*inventory.Tunnel{}
	for _, t := range inv.Tunnels {
		names = append(names, t.Name)
		byName[t.Name] = t
	}
	var out []*inventory.Tunnel
	for _, name := range wanted {
		t := byName[name]
		if t == nil {
			return nil, fmt.Errorf("no tunnel %q is declared.%s", name, inventory.DidYouMean(name, names))
		}
		out = append(out, t)
	}
	return out, nil
}

// entrance is a tunnel that is open.
type entrance struct {
	*inventory.Tunnel
	app   *app
	pool  transport.Dialer
	hop   *transport.Target // that of its host
	conn  transport.Conn    // held, so that it lives from one use to the next
	ports []net.Listener
}

// openTunnels logs in to the hosts first, so that nothing listens to no purpose.
func (a *app) openTunnels(ctx context.Context, opener *runner.Connector, tunnels []*inventory.Tunnel) error {
	var open sync.WaitGroup
	defer open.Wait()
	for _, t := range tunnels {
		e := &entrance{Tunnel: t, app: a, pool: opener.Pool}
		if err := e.prepare(ctx, opener); err != nil {
			return err
		}
		defer e.close()
		for _, l := range e.ports {
			open.Go(func() { e.serve(ctx, l, &open) })
		}
		fmt.Fprintf(a.text(), "%s: %s -> %s through %s\n", t.Name, t.Listen, t.To, t.Host.Text)
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

func (e *entrance) prepare(ctx context.Context, opener *runner.Connector) error {
	way := inventory.SSH{Port: e.To.Port, Connection: inventory.ConnectSSH, Jump: []inventory.Jump{e.Host}}
	end, err := opener.Target(&inventory.Host{Name: e.Name, Address: e.To.Address, SSH: way})
	if err != nil {
		return fmt.Errorf("tunnel %s: %w", e.Name, err)
	}
	e.hop = end.Via
	if e.conn, err = e.pool.Dial(ctx, e.hop); err != nil {
		return fmt.Errorf("tunnel %s: %w", e.Name, err)
	}
	if err = e.listen(ctx); err != nil {
		e.close()
		return fmt.Errorf("tunnel %s: %w", e.Name, err)
	}
	return nil
}

// listen takes the port. What listens for localhost does so on both families, as far as there are both (channels.c,
// channel_setup_fwd_listener_tcpip).
func (e *entrance) listen(ctx context.Context) error {
	addresses := []string{e.Listen.Address}
	if e.Listen.Address == "localhost" {
		addresses = []string{"127.0.0.1", "::1"}
	}
	for i, address := range addresses {
		at := inventory.Hop{Address: address, Port: e.Listen.Port}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", at.String())
		switch {
		case err == nil:
			e.ports = append(e.ports, l)
		case i == 0:
			return err
		}
	}
	return nil
}

func (e *entrance) serve(ctx context.Context, l net.Listener, open *sync.WaitGroup) {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		open.Go(func() {
			defer c.Close()
			if err := e.pass(ctx, c); err != nil && ctx.Err() == nil {
				fmt.Fprintf(e.app.err, "labctl: tunnel %s: %v\n", e.Name, err)
			}
		})
	}
}

// pass connects one who has come.
func (e *entrance) pass(ctx context.Context, c net.Conn) error {
	conn, err := e.pool.Dial(ctx, e.hop) // the same connection while it lives
	if err != nil {
		return err
	}
	defer conn.Close()
	forwarder, ok := conn.(transport.Forwarder)
	if !ok {
		return fmt.Errorf("%s is reached without SSH: there is nothing to go through", e.hop.Name)
	}
	far, err := forwarder.Forward(ctx, e.To.String())
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _, _ = c.Close(), far.Close() })
	defer stop()
	var both sync.WaitGroup
	both.Go(func() { pour(far, c) })
	both.Go(func() { pour(c, far) })
	both.Wait()
	return far.Close()
}

// pour passes on what comes, and its end.
func pour(to io.Writer, from io.Reader) {
	_, _ = io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

func (e *entrance) close() {
	for _, l := range e.ports {
		_ = l.Close()
	}
	_ = e.conn.Close()
}
