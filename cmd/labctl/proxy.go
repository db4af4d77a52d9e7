package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/spf13/cobra"

	"labctl/transport"
)

// exitSSH is how ssh(1) ends when it is itself at fault, not the command that it was to run.
const exitSSH = 255

func (a *app) proxyCmd() *cobra.Command {
	var f placeFlags
	var to string
	cmd := &cobra.Command{
		Use:   "proxy -W HOST:PORT HOP",
		Short: "Connect standard input and output to an address, through a host",
		Long: `Has HOP, a host of the inventory, connect to HOST:PORT as it sees it, and
passes on what comes and goes, as 'ssh -W' does: with the hop's own jump hosts,
keys and host keys, and nothing running there. It is a ProxyCommand for ssh,
scp, sftp, rsync, git and whatever else takes one:

    ssh -o ProxyCommand='labctl proxy --site lab -W %h:%p jump' target

An IPv6 address stands in brackets: -W '[2001:db8::5]:22'. The end of the
input is passed on, and what still comes back is waited for. The exit code is
255 when the connection cannot be had.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			host, port, err := net.SplitHostPort(to)
			if err != nil || host == "" || port == "" {
				return fmt.Errorf("-W %q is not HOST:PORT; an IPv6 address stands in brackets", to)
			}
			return a.proxy(cmd.Context(), &f, args[0], net.JoinHostPort(host, port))
		},
	}
	f.register(cmd)
	cmd.Flags().StringVarP(&to, "stdio-forward", "W", "", "the address to connect to, as HOP sees it")
	_ = cmd.MarkFlagRequired("stdio-forward")
	return cmd
}

func (a *app) proxy(ctx context.Context, f *placeFlags, hop, addr string) error {
	r, err := a.reach(ctx, f, hop, "proxy goes through one")
	if err != nil {
		return a.asSSH(ctx, err)
	}
	defer r.close()
	forwarder, ok := r.Conn.(transport.Forwarder)
	if !ok {
		return fmt.Errorf("%s is reached without SSH: there is nothing to go through", r.host.Name)
	}
	conn, err := forwarder.Forward(ctx, addr)
	if err != nil {
		return a.asSSH(ctx, err)
	}
	return splice(ctx, a.in, a.out, conn)
}

// asSSH reports why there is no connection, and ends as ssh(1) would.
func (a *app) asSSH(ctx context.Context, err error) error {
	var told exitError
	switch {
	case ctx.Err() != nil:
		return err
	case !errors.As(err, &told):
		fmt.Fprintln(a.err, "labctl:", err)
	}
	return exitError(exitSSH)
}

// splice passes on what comes from in, and its end, and what comes from conn, until conn has said its last: ssh -W does not wait
// for the rest of the input either, which may be a terminal.
func splice(ctx context.Context, in io.Reader, out io.Writer, conn net.Conn) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	go pour(conn, in) // ends with the process where in does not
	_, err := io.Copy(out, conn)
	_ = conn.Close()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("pass on: %w", err)
	}
	return nil
}
