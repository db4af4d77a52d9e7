package agentbin

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"sync"
)

// newSelf is the running executable in the place of an agent.
func newSelf() *agent {
	a := &agent{plain: openExecutable}
	a.header = sync.OnceValues(describeExecutable)
	a.gzip = sync.OnceValues(func() ([]byte, error) { return a.pack(gzip.BestSpeed) }) // somebody is waiting
	return a
}

// openExecutable goes by /proc/self/exe, which is this program even after its file has been replaced.
func openExecutable() (io.ReadCloser, error) {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, fmt.Errorf("read own executable: %w", err)
	}
	return f, nil
}

func describeExecutable() (Header, error) {
	f, err := openExecutable()
	if err != nil {
		return Header{}, err
	}
	defer f.Close()
	return NewHeader(f)
}
