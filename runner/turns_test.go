package runner

import (
	"slices"
	"testing"
	"testing/synctest"
)

// Those that stand first in the play go before others that wait.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		turns.free = 1
		end := turns.take(9)
		var order []int
		for _, rank := range []int{3, 1, 2} {
			go func() {
				defer turns.take(rank)()
				order = append(order, rank)
			}()
			synctest.Wait()
		}
		end()
		synctest.Wait()
		if want := []int{1, 2, 3}; !slices.Equal(order, want) {
			t.Errorf("order %v, want %v", order, want)
		}
		if turns.free != 1 {
			t.Errorf("%d turns are left, want 1", turns.free)
		}
	})
}
