package modules

import (
	"context"

	"labctl/modules/host"
)

// The functions of Spec[T] take a *T, the engine's take any: what follows stands between. P is always a pointer type. The
// compiler makes one body for all pointer types, where the constraint is any (not comparable); were the parameter T, there
// would be a body for each module, and the agent would be a fifth larger. A function that is not set stays nil.

// object returns p as the engine holds it: a nil pointer, which stands for absent, becomes nil.
func object[P any](p P) any {
	var absent P
	if any(p) == any(absent) {
		return nil
	}
	return p
}

// pointer undoes object.
func pointer[P any](object any) P {
	p, _ := object.(P) // nil: absent
	return p
}

func eraseCheck[P any](f func(P) error) func(any) error {
	if f == nil {
		return nil
	}
	return func(want any) error { return f(pointer[P](want)) }
}

func eraseWarn[P any](f func(P) []string) func(any) []string {
	if f == nil {
		return nil
	}
	return func(want any) []string { return f(pointer[P](want)) }
}

func eraseRead[P any](f func(context.Context, host.Host, P) (P, error)) func(context.Context, host.Host, any) (any, error) {
	if f == nil {
		return nil
	}
	return func(ctx context.Context, h host.Host, want any) (any, error) {
		have, err := f(ctx, h, pointer[P](want))
		return object(have), err
	}
}

func eraseApply[P any](f func(context.Context, host.Host, P, P, Diff) error) func(context.Context, host.Host, any, any, Diff) error {
	if f == nil {
		return nil
	}
	return func(ctx context.Context, h host.Host, have, want any, d Diff) error {
		return f(ctx, h, pointer[P](have), pointer[P](want), d)
	}
}

func eraseGone[P any](f func(have, want P) bool) func(have, want any) bool {
	if f == nil {
		return nil
	}
	return func(have, want any) bool { return f(pointer[P](have), pointer[P](want)) }
}

func eraseFixed[P any](f func(have, want P) []string) func(have, want any) []string {
	if f == nil {
		return nil
	}
	return func(have, want any) []string { return f(pointer[P](have), pointer[P](want)) }
}

func erasePrepare[P any](f func(context.Context, host.Host, []P) error) func(context.Context, host.Host, []any) error {
	if f == nil {
		return nil
	}
	return func(ctx context.Context, h host.Host, objects []any) error {
		wants := make([]P, len(objects))
		for i, o := range objects {
			wants[i] = pointer[P](o)
		}
		return f(ctx, h, wants)
	}
}

func eraseRun[P any](f func(context.Context, host.Host, P) (P, bool, error)) func(context.Context, host.Host, any) (any, bool, error) {
	if f == nil {
		return nil
	}
	return func(ctx context.Context, h host.Host, want any) (any, bool, error) {
		result, changed, err := f(ctx, h, pointer[P](want))
		return object(result), changed, err
	}
}

func erasePending[P any](f func(context.Context, host.Host, P) (bool, error)) func(context.Context, host.Host, any) (bool, error) {
	if f == nil {
		return nil
	}
	return func(ctx context.Context, h host.Host, want any) (bool, error) { return f(ctx, h, pointer[P](want)) }
}

func erasePatience[P any](f func(P) Patience) func(any) Patience {
	if f == nil {
		return nil
	}
	return func(want any) Patience { return f(pointer[P](want)) }
}

func eraseListen[P any](f func(context.Context, host.Host, P) (func(P) (P, error), error)) func(context.Context, host.Host, any) (func(any) (any, error), error) {
	if f == nil {
		return nil
	}
	return func(ctx context.Context, h host.Host, want any) (func(any) (any, error), error) {
		judge, err := f(ctx, h, pointer[P](want))
		return eraseJudge(judge), err
	}
}

func eraseJudge[P any](f func(P) (P, error)) func(any) (any, error) {
	return func(want any) (any, error) {
		state, err := f(pointer[P](want))
		return object(state), err
	}
}
