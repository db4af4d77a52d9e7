package inventory

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestSuggest(t *testing.T) {
	known := []string{"protocol", "port", "ports", "photo", "destination", "destination_port", "identity_file"}
	for given, want := range map[string]string{
		"proto": "protocol", // the whole word, though photo is but one letter off
		"dest":  "destination", "potr": "port", "PORT": "port", "identity": "identity_file", "pr": "", "xyz": "",
	} {
		if got := Suggest(given, known); got != want {
			t.Errorf("%s: %q, want %q", given, got, want)
		}
	}
}

func TestArgumentsOfOtherTools(t *testing.T) {
	for given, want := range map[string]string{
		"username": "Write user = ...", "key": "Write identity_file = ...", "nic": "It is a block", "addresss": `Did you mean "address"?`,
		"xyzzy": "Known: ",
	} {
		args, blocks := argumentNames(hostSchema)
		if got := argumentHint(given, args, blocks); !strings.Contains(got, want) {
			t.Errorf("%s: %q", given, got)
		}
	}
	for word, want := range map[string]string{"iptables_chain": "An iptables_chain", "ssh": "An ssh", "bridge": "A bridge", "": ""} {
		if got := Article(word); got != want {
			t.Errorf("%q: %q", word, got)
		}
	}
}

// Every hint leads to an argument of some block, and from none that this block has itself.
func TestHabitsLeadSomewhere(t *testing.T) {
	var lists [][]string
	for _, schema := range append(slices.Collect(maps.Values(sourceSchemas)), hostSchema, groupSchema, networkSchema) {
		args, _ := argumentNames(schema)
		lists = append(lists, args)
	}
	for from, to := range habits {
		somewhere := false
		for _, args := range lists {
			somewhere = somewhere || slices.Contains(args, to) && !slices.Contains(args, from)
		}
		if !somewhere {
			t.Errorf("%s -> %s", from, to)
		}
	}
}
