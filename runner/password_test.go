package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"labctl/transport"
)

// logIn is a host that wants a password.
func logIn(tr *trial, host, right string, tried *atomic.Int32) error {
	refused := ""
	for {
		password, err := tr.get(context.Background(), host, refused)
		if err == nil {
			if tried.Add(1); password != right {
				refused = password
				continue
			}
		}
		tr.judged(host, err)
		return err
	}
}

// A hundred hosts share a password: one host finds out for all whether it is right.
func TestTrial(t *testing.T) {
	mistyped := 0
	again := func(context.Context, string) (string, error) {
		mistyped--
		return []string{"right", "wrong again"}[min(mistyped, 1)], nil
	}
	for _, test := range []struct {
		name     string
		password string
		again    func(context.Context, string) (string, error)
		mistyped int
		tried    int32
		fail     int
	}{
		{"right", "right", nil, 0, 100, 0},
		{"wrong", "wrong", nil, 0, 1, 100},
		{"mistyped once", "wrong", again, 1, 101, 0},
		{"mistyped twice", "wrong", again, 2, 102, 0},
		{"mistyped for good", "wrong", again, 9, 3, 100},
	} {
		t.Run(test.name, func(t *testing.T) {
			mistyped = test.mistyped
			tr := newTrial(test.password, test.again)
			var tried, failed, withheld atomic.Int32
			var wg sync.WaitGroup
			for i := range 100 {
				wg.Go(func() {
					if err := logIn(tr, fmt.Sprint("h", i), "right", &tried); err != nil {
						failed.Add(1)
						if errors.As(err, new(*transport.WithheldError)) {
							withheld.Add(1)
						}
					}
				})
			}
			wg.Wait()
			if tried.Load() != test.tried || int(failed.Load()) != test.fail || int(withheld.Load()) != max(test.fail-1, 0) {
				t.Errorf("%d attempts, %d hosts failed, %d of them without one", tried.Load(), failed.Load(), withheld.Load())
			}
		})
	}
}

// A host that fails for another reason has not judged the password; one that refuses what another has taken is alone with that.
func TestTrialOfAHostApart(t *testing.T) {
	tr := newTrial("secret", func(context.Context, string) (string, error) { t.Error("asked"); return "", nil })
	if _, err := tr.get(t.Context(), "a", ""); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tr.get(ctx, "b", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("b does not wait: %v", err)
	}
	tr.judged("a", errors.New("connection lost"))
	var tried atomic.Int32
	if err := logIn(tr, "b", "secret", &tried); err != nil {
		t.Error(err)
	}
	if err := logIn(tr, "c", "another", &tried); !errors.Is(err, errNoOther) {
		t.Errorf("c: %v", err)
	}
	if err := logIn(tr, "d", "secret", &tried); err != nil {
		t.Error(err)
	}
}
