package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"labctl/agent/relay"
	"labctl/agent/wire"
	"labctl/modules/host"
)

// responder is implemented by hosts on which an agent can be a host.Responder.
type responder interface{ Respond() error }

// Main is the whole of an agent process: it serves standard input and output on h and returns the exit status. The
// contents that the runner has sent in this session are removed at the end.
func Main(h host.Host) int {
	if len(os.Args) > 1 && os.Args[len(os.Args)-1] == "--version" {
		fmt.Println("labctl-agent protocol", wire.Version)
		return 0
	}
	if len(os.Args) > 1 && os.Args[len(os.Args)-1] == host.RespondArgument {
		if r, ok := h.(responder); ok {
			fmt.Fprintln(os.Stderr, "labctl-agent:", r.Respond())
			return 1
		}
	}
	if j, ok := h.(host.Jobber); ok && len(os.Args) > 1 && os.Args[len(os.Args)-1] == host.JobArgument {
		return jobMain(h, j)
	}
	if c, ok := h.(host.Connector); ok && len(os.Args) > 1 && os.Args[len(os.Args)-1] == wire.RelayArgument {
		return relayMain(c)
	}
	syscall.Umask(0o022)
	// The end of input says that the runner is gone. Not signal.Ignore: commands would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGHUP)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	blobs := blobDir()
	sweep(filepath.Dir(blobs))
	defer os.RemoveAll(blobs)
	o := Options{Blobs: blobs, Ahead: slices.Contains(os.Args[1:], wire.AheadArgument)}
	if err := Serve(ctx, os.Stdin, os.Stdout, h, o); err != nil {
		fmt.Fprintln(os.Stderr, "labctl-agent:", err)
		return 1
	}
	return 0
}

// relayMain serves connections in place of requests. Its life is that of its input; a signal ends it as any program.
func relayMain(c host.Connector) int {
	if err := relay.Serve(context.Background(), os.Stdin, os.Stdout, wire.Magic, c.Connect); err != nil {
		fmt.Fprintln(os.Stderr, "labctl-agent:", err)
		return 1
	}
	return 0
}

// blobDir names, but does not make, a directory of this process beside the executable, which is in a place private to the user
// the agent runs as.
func blobDir() string {
	exe, err := os.Executable()
	if err != nil {
		return ""
	}
	return filepath.Join(filepath.Dir(exe), blobPrefix+strconv.Itoa(os.Getpid()))
}

const blobPrefix = "blobs-"

// sweep removes from dir what agents that were killed have left behind: contents whose process is no more.
func sweep(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		num, ours := strings.CutPrefix(e.Name(), blobPrefix)
		pid, err := strconv.Atoi(num)
		if ours && err == nil && (pid == os.Getpid() || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)) {
			_ = os.RemoveAll(filepath.Join(dir, e.Name())) // if it cannot be removed, it does no harm
		}
	}
}
