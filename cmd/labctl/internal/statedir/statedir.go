// Package statedir says where labctl keeps what lasts from one run to the next, on the computer that it runs on.
package statedir

import (
	"errors"
	"path/filepath"
)

// Of is the directory labctl in that of a user's state (XDG Base Directory Specification): $XDG_STATE_HOME if that is an
// absolute path, else ~/.local/state. It need not be there yet.
func Of(getenv func(string) string) (string, error) {
	state := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) {
		home := getenv("HOME")
		if home == "" {
			return "", errors.New("there is no home directory")
		}
		state = filepath.Join(home, ".local/state")
	}
	return filepath.Join(state, "labctl"), nil
}
