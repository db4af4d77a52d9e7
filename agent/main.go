package agent

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"labctl/agent/wire"
	"labctl/modules/host"
)

// Main is the whole of an agent process: it serves standard input and output on h and returns the exit status. The
// contents that the runner has put beside the executable for this session are removed at the end.
func Main(h host.Host) int {
	if len(os.Args) > 1 && os.Args[len(os.Args)-1] == "--version" {
		fmt.Println("labctl-agent protocol", wire.Version)
		return 0
	}
	syscall.Umask(0o022)
	// The end of input says that the runner is gone. Not signal.Ignore: commands would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGHUP)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	blobs := blobDir()
	defer os.RemoveAll(blobs)
	if err := Serve(ctx, os.Stdin, os.Stdout, h, Options{Blobs: blobs}); err != nil {
		fmt.Fprintln(os.Stderr, "labctl-agent:", err)
		return 1
	}
	return 0
}

// blobDir names, but does not make, a directory of this process beside the executable: the runner makes it when a content
// has to travel, as the user who owns the place, which need not be the one the agent runs as.
func blobDir() string {
	exe, err := os.Executable()
	if err != nil {
		return ""
	}
	return filepath.Join(filepath.Dir(exe), fmt.Sprintf("blobs-%d", os.Getpid()))
}
