package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"labctl/transport"
	"labctl/transport/persist"
)

func (a *app) connectionsCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "connections",
		Short: "Show the connections that are kept for the next run",
		Long: `Show the connections that are kept for the next run, or close them.

A connection stays for a minute after its last use, and a run in that time logs
in to nothing: see persist and LABCTL_PERSIST in docs/connections.md. USED is
whether a run uses it now; if none does, EXPIRES is when it closes.`,
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
			if asJSON {
				return a.encodeConnections(list)
			}
			return a.printConnections(list)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object for each connection, one a line")
	cmd.AddCommand(a.connectionsCloseCmd())
	return cmd
}

// kept is the form of a connection as JSON.
type kept struct {
	Host     string     `json:"host"`
	Via      string     `json:"via,omitempty"`
	User     string     `json:"user"`
	Address  string     `json:"address"`
	Since    time.Time  `json:"since"`
	Used     bool       `json:"used"`
	Expires  *time.Time `json:"expires,omitempty"` // neither while it is used, nor where only closing ends it
	BytesIn  int64      `json:"bytes_in"`
	BytesOut int64      `json:"bytes_out"`
}

func (a *app) encodeConnections(list []transport.Kept) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	for _, c := range list {
		k := kept{Host: c.Name, Via: c.Via, User: c.User, Address: c.Addr, Since: c.Since, Used: c.Used, BytesIn: c.BytesIn, BytesOut: c.BytesOut}
		if !c.Used && c.Persist != transport.Forever {
			at := c.LastUse.Add(c.Persist)
			k.Expires = &at
		}
		if err := enc.Encode(k); err != nil {
			return err
		}
	}
	return nil
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
			used, expires = "no", "never"
		}
		if !c.Used && c.Persist != transport.Forever {
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
		ValidArgsFunction: named(keptNames),
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
