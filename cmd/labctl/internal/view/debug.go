package view

import (
	"bytes"
	"encoding/json"
	"strings"

	"labctl/runner"
)

// said is what a debug task is for, as Ansible shows it: its text, or the value by the name that the label gives it.
func said(e runner.Event) string {
	if e.Task.Module != "debug" || e.Status != runner.OK {
		return ""
	}
	if e.Task.Sensitive {
		return hidden
	}
	var state struct {
		Name string          `json:"name"`
		Msg  *string         `json:"msg"`
		Var  json.RawMessage `json:"var"`
	}
	if e.Result == nil || json.Unmarshal(e.Result.State, &state) != nil {
		return ""
	}
	out := map[string]any{state.Name: state.Var}
	if state.Msg != nil {
		out = map[string]any{"msg": *state.Msg}
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "    ")
	if enc.Encode(out) != nil {
		return ""
	}
	return clean(strings.TrimSpace(buf.String()))
}
