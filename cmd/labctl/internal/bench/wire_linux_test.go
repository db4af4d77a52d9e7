package bench

import (
	"io"
	"net"
	"os"
	"testing"
	"time"

	"labctl/cmd/labctl/internal/sandbox"
)

// needRoot skips where no namespaces can be had; with LABCTL_TEST_KERNEL=1 that is a failure.
func needRoot(t testing.TB) {
	t.Helper()
	if err := sandbox.Check(); err != nil {
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

func newWire(t testing.TB, far *Namespace) *Wire {
	t.Helper()
	w, err := NewWire(far, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("close wire: %v", err)
		}
	})
	return w
}

// TestWire times what is known to take one round trip, the TCP handshake, and one more, a byte there and back.
func TestWire(t *testing.T) {
	needRoot(t)
	far, err := NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	w := newWire(t, far)
	echo, err := w.Far.Listen(FarAddress + ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(c, c)
			c.Close()
		}
	}()

	for _, rtt := range []time.Duration{0, 100 * time.Millisecond} {
		w.SetRTT(rtt)
		var took time.Duration
		err := w.Near.Do(func() error {
			start := time.Now()
			c, err := net.Dial("tcp", echo.Addr().String())
			if err != nil {
				return err
			}
			defer c.Close()
			if _, err := c.Write([]byte{1}); err != nil {
				return err
			}
			_, err = io.ReadFull(c, make([]byte, 1))
			took = time.Since(start)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("rtt %v: connect, a byte there and back: %v", rtt, took)
		if took < 2*rtt || took > 2*rtt+rtt/2+50*time.Millisecond {
			t.Errorf("rtt %v: connect, a byte there and back took %v, want about %v", rtt, took, 2*rtt)
		}
	}
}
