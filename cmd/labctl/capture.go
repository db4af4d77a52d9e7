package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"labctl/modules/pcapfilter"
	"labctl/runner"
)

func (a *app) captureCmd() *cobra.Command {
	var (
		s                siteFlags
		c                connectFlags
		at, write, netns string
		as               becomeFlags
		promisc          bool
	)
	cmd := &cobra.Command{
		Use:   "capture HOST DEVICE -w FILE [FILTER...]",
		Short: "Write the frames that pass a device to a pcap file, until Ctrl-C",
		Long: `Captures on the host, through whatever jump hosts lead there, and writes a
pcap file here. The filter has the words of pcap-filter(7). With -w - the file
goes to standard output:

    labctl capture boxA enp0s8 -w - udp port 4789 | wireshark -k -i -`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.become(&as, &s, &c); err != nil {
				return err
			}
			s.hosts = true
			st, err := a.load(at, &s)
			if err != nil {
				return err
			}
			h, err := st.oneHost(args[0], "capture looks at one")
			if err != nil {
				return err
			}
			filter := strings.Join(args[2:], " ")
			if _, err := pcapfilter.Parse(filter); err != nil {
				return fmt.Errorf("filter %q: %w", filter, err)
			}
			opener, _, done, err := a.opener(st, &c, a.logf(c.verbose))
			if err != nil {
				return err
			}
			defer done()
			out := a.out
			if write != "-" {
				f, err := os.Create(write)
				if err != nil {
					return err
				}
				defer f.Close()
				out = io.Writer(f)
			}
			params := map[string]any{"dev": args[1], "filter": filter, "netns": netns, "promisc": promisc}
			total, err := runner.Capture(cmd.Context(), opener, h, as.name(), params, out)
			fmt.Fprintf(a.err, "%d frames, %d dropped\n", total.Frames, total.Dropped)
			return err
		},
	}
	s.register(cmd)
	c.register(cmd)
	s.keyFlags.batch = &c.batch
	cmd.Flags().StringVar(&at, "site", ".", "site that declares the host")
	cmd.Flags().StringVarP(&write, "write", "w", "", "pcap file to write, - for standard output")
	cmd.Flags().StringVar(&netns, "netns", "", "network namespace of the device")
	cmd.Flags().BoolVar(&promisc, "promisc", false, "have the device take frames that are not for it")
	as.register(cmd.Flags(), "capture as root, or as --become-user", true)
	_ = cmd.MarkFlagRequired("write")
	return cmd
}
