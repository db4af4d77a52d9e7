package main

import (
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"labctl/transport"
	"labctl/transport/persist"
)

// persistVariable turns the keeping of connections on; see docs/connections.md.
const persistVariable = "LABCTL_PERSIST"

// dialer is a pool of this run's own, or one whose connections are kept for the next run.
func dialer(f *connectFlags, o transport.Options) transport.Dialer {
	if os.Getenv(persistVariable) != "on" || f.noPersist || !persist.Available {
		return transport.NewPool(o)
	}
	dir, err := persist.Dir()
	if err != nil {
		if o.Logf != nil {
			o.Logf("connections are not kept: %v", err)
		}
		return transport.NewPool(o)
	}
	return persist.NewDialer(dir, o)
}

func (a *app) connectionsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "connections",
		Short: "Show the connections that are kept for the next run",
		Long: `Show the connections that are kept for the next run, or close them.

With LABCTL_PERSIST=on in the environment a connection stays for a minute after
its last use, and a run in that time logs in to nothing. USED is whether a run
uses it now; if none does, EXPIRES is when it closes.`,
		Args: oneOfVerbs,
		RunE: func(*cobra.Command, []string) error {
			dir, err := persist.Dir()
			if err != nil {
				return fmt.Errorf("find the kept connections: %w", err)
			}
			list, err := persist.List(dir)
			if err != nil {
				return fmt.Errorf("list the kept connections: %w", err)
			}
			return a.printConnections(list)
		},
	}
	cmd.AddCommand(a.connectionsCloseCmd())
	return cmd
}

func (a *app) printConnections(list []transport.Kept) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(a.out, "No connection is kept.")
		return err
	}
	w := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "HOST\tVIA\tUSER\tAGE\tUSED\tEXPIRES\tIN\tOUT")
	for _, c := range list {
		used, expires := "yes", "-"
		if !c.Used {
			used = "no"
			expires = max(0, c.Persist-time.Since(c.LastUse)).Round(time.Second).String()
		}
		via := c.Via
		if via == "" {
			via = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\n", c.Name, via, c.User, time.Since(c.Since).Round(time.Second), used, expires, c.BytesIn, c.BytesOut)
	}
	return w.Flush()
}

func (a *app) connectionsCloseCmd() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "close [NAME...]",
		Short: "Close kept connections, those that a run uses included",
		Long: `Close the kept connections to the hosts of these names; web* stands for many.
One that a run uses is cut off, and so are those that lead through it.`,
		RunE: func(_ *cobra.Command, names []string) error {
			switch {
			case all && len(names) > 0:
				return errors.New("--all closes every connection: name none")
			case all:
				names = []string{"*"}
			case len(names) == 0:
				return errors.New("say which connections to close, or --all")
			}
			dir, err := persist.Dir()
			if err != nil {
				return fmt.Errorf("find the kept connections: %w", err)
			}
			n, err := persist.End(dir, names)
			if err != nil {
				return fmt.Errorf("close the kept connections: %w", err)
			}
			_, err = fmt.Fprintf(a.out, "Closed: %d.\n", n)
			return err
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all of them")
	return cmd
}
