//go:build !unix

package view

import "os"

func stops() (<-chan os.Signal, func()) { return nil, func() {} }
func stopNow()                          {}
