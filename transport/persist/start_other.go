//go:build !unix || solaris || aix

package persist

import (
	"errors"

	"labctl/transport"
)

// Verb is the hidden verb of labctl that is the server.
const Verb = "persist-server"

// Available says whether connections can be kept on this system.
const Available = false

// Dir fails: there is nothing to keep connections with.
func Dir() (string, error) { return "", errors.ErrUnsupported }

func ensure(string) (string, bool, error) { return "", false, errors.ErrUnsupported }

func isBusy(error) bool { return false }

// Main fails.
func Main([]string, transport.Agents) int { return 1 }
