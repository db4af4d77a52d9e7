package transport

import (
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
)

// parsedFiles keeps what files held, by path. A file is read again when it has changed.
type parsedFiles[T any] struct {
	mu    sync.Mutex
	files map[string]parsedFile[T]
}

type parsedFile[T any] struct {
	stamp time.Time
	size  int64
	holds T
}

// load returns what parse makes of the file. Devices are empty: /dev/null is the usual way to say "none". A pipe, as a shell
// makes for <(command), can be read but once.
func (p *parsedFiles[T]) load(path string, parse func(data []byte) (T, error)) (T, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var none T
	info, err := os.Stat(path)
	if err != nil {
		return none, err
	}
	pipe := info.Mode()&fs.ModeNamedPipe != 0
	if f, ok := p.files[path]; ok && (pipe || f.stamp.Equal(info.ModTime()) && f.size == info.Size()) {
		return f.holds, nil
	}
	var data []byte
	if info.Mode()&fs.ModeDevice == 0 {
		if data, err = os.ReadFile(path); err != nil {
			return none, err
		}
	}
	holds, err := parse(data)
	if err != nil {
		return none, err
	}
	if p.files == nil {
		p.files = map[string]parsedFile[T]{}
	}
	p.files[path] = parsedFile[T]{info.ModTime(), info.Size(), holds}
	return holds, nil
}

// forget has the file read again.
func (p *parsedFiles[T]) forget(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.files, path)
}

// OnlyHere reports whether path means something in this process alone: what a shell makes for <(command).
func OnlyHere(path string) bool {
	return path == "/dev/stdin" || strings.HasPrefix(path, "/dev/fd/") || strings.HasPrefix(path, "/proc/self/")
}

// readFile is os.ReadFile for a file that several hosts may name: what can be read but once is kept until the pool is closed.
func (p *Pool) readFile(path string) ([]byte, error) {
	if !OnlyHere(path) {
		return os.ReadFile(path)
	}
	return p.given.load(path, func(data []byte) ([]byte, error) { return data, nil })
}
