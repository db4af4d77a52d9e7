package transport_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"runtime"
	"sync"
	"testing"
	"time"

	"labctl/transport"
	"labctl/transport/transporttest"
)

// newScriptBins is an agent of so many bytes that hardly pack, which begins with lines of a script.
func newScriptBins(t testing.TB, first string, size int) *bins {
	t.Helper()
	junk := make([]byte, size/2)
	_, _ = rand.Read(junk)
	script := "#!/bin/sh\n" + first + "printf '\\0labctl\\1 args [] uid %s\\n' $(id -u)\nexec cat\n#" + hex.EncodeToString(junk)
	sum := sha256.Sum256([]byte(script))
	return &bins{arch: runtime.GOARCH, binary: []byte(script), forms: []string{""}, hash: hex.EncodeToString(sum[:])}
}

// A push over a slow line tells how far it is, by what is there and not by what has been sent, and keepalives that must wait
// behind it do not end the connection.
func TestPushOverSlowLine(t *testing.T) {
	t.Parallel()
	const rate = 64 << 10
	me := newLogin(t)
	s := transporttest.NewSSHD(t, me.keys())
	b := newScriptBins(t, "", 4*rate)
	target := me.target(t, "box", s.Addr, s.HostKey)
	target.Dial = transporttest.NewSlowWire(t, s.Addr, rate).Addr
	target.ServerAliveInterval, target.ServerAliveCountMax = time.Second, 2
	var mu sync.Mutex
	var told []int64
	start := time.Now()
	said, err := talk(t, dial(t, newPool(t, transport.Options{}), target), b, transport.AgentOptions{Progress: func(done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, done)
		if total != int64(len(b.binary)) {
			t.Errorf("%d bytes of %d", done, total)
		}
	}}, "frames")
	if err != nil || said != greeting("frames") {
		t.Fatalf("got %q, %v", said, err)
	}
	took := time.Since(start)
	if took < 3*time.Second {
		t.Errorf("it took %s: the line is not slow", took)
	}
	mu.Lock()
	defer mu.Unlock()
	t.Logf("%v of %d in %s", told, len(b.binary), took)
	if len(told) < 2 {
		t.Fatal("it says nothing")
	}
	for i, done := range told {
		if done > int64(len(b.binary)) || i > 0 && done < told[i-1] || i == 0 && done > int64(len(b.binary))*3/4 {
			t.Errorf("it says %v of %d", told, len(b.binary))
		}
	}
}

// Who ends a push in the middle, as Ctrl-C does, leaves no half agent, and is not kept waiting for what is on its way.
func TestPushEndedOverSlowLine(t *testing.T) {
	t.Parallel()
	const rate = 64 << 10
	me := newLogin(t)
	s := transporttest.NewSSHD(t, me.keys())
	b := newScriptBins(t, "", 16*rate)
	target := me.target(t, "box", s.Addr, s.HostKey)
	target.Dial = transporttest.NewSlowWire(t, s.Addr, rate).Addr
	c := dial(t, newPool(t, transport.Options{}), target)
	halfway := make(chan struct{})
	p, err := transport.StartAgent(t.Context(), c, b, transport.AgentOptions{Progress: func(int64, int64) {
		select {
		case halfway <- struct{}{}:
		default:
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	<-halfway
	start := time.Now()
	_ = p.Close()
	if _, err := p.Wait(); err == nil {
		t.Error("it has no error")
	}
	_ = c.Close()
	if took := time.Since(start); took > time.Second {
		t.Errorf("it ended after %s", took)
	}
	holds(t, s.Home+"/.cache/labctl")
}
