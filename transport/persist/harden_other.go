//go:build unix && !linux && !solaris && !aix

package persist

// harden sheds what is not the server's own.
func harden() { shed() }
