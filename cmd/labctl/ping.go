package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"labctl/inventory"
	"labctl/runner"
	"labctl/transport"
)

// pingFlags are those of ping.
type pingFlags struct {
	placeFlags
	as    becomeFlags
	json  bool
	forks int
}

func (a *app) pingCmd() *cobra.Command {
	var f pingFlags
	cmd := &cobra.Command{
		Use:   "ping [PATTERN]",
		Short: "See which hosts can be reached, and whether the agent runs there",
		Long: `Logs in to each host that the pattern names (default: all), through its jump
hosts, and starts the agent there, all at the same time: what a play needs
before its first task. For each it shows the user that the agent runs as, the
kernel, how long it took, the round trips, and the time of one. With -b the
agent runs as root, as with become = true.

This is no ICMP: for that there is the module ping.

What is wrong with a host has a word: "unreachable", "no_agent" where it can be
reached and the agent does not run, and "settings" where those of the host, its
files of keys included, are at fault and nothing was tried.

Exit codes: 0 all are there, 1 error in the site, the settings or the arguments,
4 some host is not there, 99 interrupted.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pattern := "all"
			if len(args) > 0 {
				pattern = args[0]
			}
			return a.ping(cmd.Context(), &f, pattern)
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&f.json, "json", false, "print one JSON object for each host, one a line")
	f.as.register(cmd.Flags(), "run the agent as root, or as --become-user", false)
	cmd.Flags().IntVarP(&f.forks, "forks", "f", 0, "hosts at the same time (0: all)")
	return cmd
}

// pong is what ping tells of a host, and its form as JSON.
type pong struct {
	Host         string `json:"host"`
	Status       string `json:"status"` // ok, settings, unreachable or no_agent
	User         string `json:"user,omitempty"`
	Kernel       string `json:"kernel,omitempty"`
	Architecture string `json:"architecture,omitempty"`
	Distribution string `json:"distribution,omitempty"`
	Duration     int64  `json:"duration,omitempty"` // ns, as in events
	RTT          int64  `json:"rtt,omitempty"`      // ns
	RoundTrips   int    `json:"round_trips,omitempty"`
	Pushed       bool   `json:"pushed,omitempty"`
	Hop          string `json:"hop,omitempty"`
	Message      string `json:"message,omitempty"`
}

func (a *app) ping(ctx context.Context, f *pingFlags, pattern string) error {
	if err := a.become(&f.as, &f.siteFlags, &f.connectFlags); err != nil {
		return err
	}
	st, err := a.place(&f.placeFlags, pattern)
	if err != nil {
		return err
	}
	hosts, err := st.Inventory.Match(pattern)
	if err != nil {
		return err
	}
	opener, _, done, err := a.opener(st, &f.connectFlags, a.logf(f.verbose))
	if err != nil {
		return err
	}
	defer done()
	pongs := greetAll(ctx, opener, hosts, f.as.name(), f.forks)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := a.printPongs(pongs, f.json); err != nil {
		return err
	}
	return exitWith(pongExit(pongs))
}

// pongExit is 4 as soon as some host was tried to no avail.
func pongExit(pongs []pong) int {
	code := exitDone
	for _, p := range pongs {
		switch p.Status {
		case "ok":
		case "settings":
			code = max(code, exitUser)
		default:
			code = exitUnreachable
		}
	}
	return code
}

// greetAll pings hosts, so many at the same time, and returns what became of each in their order.
func greetAll(ctx context.Context, o runner.Opener, hosts []*inventory.Host, become string, forks int) []pong {
	if forks <= 0 {
		forks = len(hosts)
	}
	out := make([]pong, len(hosts))
	slots := make(chan struct{}, forks)
	var wg sync.WaitGroup
	for i, h := range hosts {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			g, err := runner.Greet(ctx, o, h, become)
			out[i] = newPong(h.Name, g, err)
		})
	}
	wg.Wait()
	return out
}

func newPong(host string, g *runner.Greeting, err error) pong {
	p := pong{Host: host, Status: "ok"}
	if err != nil {
		p.Status, p.Message = "no_agent", err.Error()
		var te *transport.Error
		var settings *runner.SettingsError
		switch {
		case errors.As(err, &settings):
			p.Status = "settings"
		case errors.As(err, &te):
			p.Status, p.Hop = "unreachable", te.Hop
			if te.Phase == transport.PhaseSettings {
				p.Status = "settings"
			}
		}
		return p
	}
	p.User, p.Kernel, p.Architecture = g.Facts.User, g.Facts.Kernel, g.Facts.Architecture
	p.Distribution = g.Facts.Distribution
	if g.Facts.Version != "" {
		p.Distribution += " " + g.Facts.Version
	}
	p.Duration = int64(g.Took)
	if g.Cost != nil {
		p.RTT, p.RoundTrips, p.Pushed = int64(g.Cost.RTT), g.Cost.RoundTrips, g.Cost.Pushed
	}
	return p
}

func (a *app) printPongs(pongs []pong, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(a.out)
		enc.SetEscapeHTML(false)
		for _, p := range pongs {
			if err := enc.Encode(p); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOST\tSTATUS\tUSER\tKERNEL\tSYSTEM\tTIME\tRTT\tROUND TRIPS")
	for _, p := range pongs {
		if p.Status != "ok" {
			fmt.Fprintf(w, "%s\t%s\t\t\t\t\t\t\n", p.Host, p.Status)
			continue
		}
		trips := fmt.Sprint(p.RoundTrips)
		if p.Pushed {
			trips += ", with the agent's push"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Host, p.Status, p.User, p.Kernel, p.Distribution,
			short(p.Duration), short(p.RTT), trips)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, p := range pongs {
		if p.Message != "" {
			fmt.Fprintf(a.err, "%s: %s\n", p.Host, p.Message)
		}
	}
	return nil
}

// short is a duration in ns with three digits or so.
func short(ns int64) string {
	d := time.Duration(ns)
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}
