package view

import (
	"encoding/json"
	"slices"
	"strings"

	"labctl/modules"
	"labctl/modules/schema"
	"labctl/runner"
)

// hidden stands in for a sensitive value.
const hidden = "(sensitive)"

// Redact returns e with every sensitive value masked: changes marked so, and whatever the module's schema calls sensitive in
// values and in the state. What is unset stays unset, so that the kind of change can still be seen.
func Redact(e runner.Event) runner.Event { return redact(e) }

func redact(e runner.Event) runner.Event {
	if e.Diff == nil && e.Result == nil {
		return e
	}
	var b *schema.Block
	all := false
	if e.Task != nil {
		all = e.Task.Sensitive
		if m, err := modules.Default.Lookup(e.Task.Module); err == nil {
			b = m.Schema()
		}
	}
	if !all && !secretive(b) && !marked(e.Diff) && (e.Result == nil || !marked(&e.Result.Diff)) {
		return e
	}
	if e.Diff != nil {
		d := redactDiff(b, *e.Diff, all)
		e.Diff = &d
	}
	if e.Result != nil {
		r := *e.Result
		r.Diff = redactDiff(b, r.Diff, all)
		r.State = redactState(b, r.State, all)
		e.Result = &r
	}
	return e
}

func redactDiff(b *schema.Block, d modules.Diff, all bool) modules.Diff {
	changes := make([]modules.Change, len(d.Changes))
	for i, c := range d.Changes {
		if c.Sensitive = c.Sensitive || all; c.Sensitive {
			c.Before, c.After = mask(c.Before), mask(c.After)
		} else if b != nil {
			c.Before, c.After = maskPath(b, c.Path, c.Before), maskPath(b, c.Path, c.After)
		}
		changes[i] = c
	}
	d.Changes = changes
	return d
}

func redactState(b *schema.Block, raw json.RawMessage, all bool) json.RawMessage {
	if all {
		return nil
	}
	if !secretive(b) {
		return raw
	}
	var state map[string]any
	if json.Unmarshal(raw, &state) != nil {
		return nil
	}
	out, err := json.Marshal(maskBlock(b, state))
	if err != nil {
		return nil
	}
	return out
}

// secretive reports whether b, which may be nil, has sensitive attributes.
func secretive(b *schema.Block) bool {
	if b == nil {
		return false
	}
	for i := range b.Attributes {
		if a := &b.Attributes[i]; a.Sensitive || secretive(a.Fields) {
			return true
		}
	}
	return false
}

// marked reports whether d, which may be nil, has changes that say themselves that they are sensitive.
func marked(d *modules.Diff) bool {
	return d != nil && slices.ContainsFunc(d.Changes, func(c modules.Change) bool { return c.Sensitive })
}

func mask(v any) any {
	if v == nil {
		return nil
	}
	return hidden
}

// maskPath masks what is sensitive in v, the value of the attribute at path, such as "peer.key".
func maskPath(b *schema.Block, path string, v any) any {
	for {
		parent, rest, nested := strings.Cut(path, ".")
		a := b.Find(parent)
		if !nested || a == nil || a.Fields == nil || a.Sensitive {
			return maskField(b, parent, v)
		}
		b, path = a.Fields, rest
	}
}

// maskField masks what is sensitive in v, the value of the attribute called name.
func maskField(b *schema.Block, name string, v any) any {
	a := b.Find(name)
	switch {
	case a == nil || v == nil:
		return v
	case a.Sensitive:
		return hidden
	case a.Fields != nil:
		return maskBlock(a.Fields, v)
	}
	return v
}

// maskBlock masks the sensitive fields of one object or of a list of them.
func maskBlock(b *schema.Block, v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = maskBlock(b, v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, field := range v {
			out[name] = maskField(b, name, field)
		}
		return out
	}
	return v
}
