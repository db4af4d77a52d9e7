package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// replacement is what a file is to hold.
type replacement struct {
	name    string
	content []byte
	private bool // only its owner may read it, whoever could before
}

// replaceAll writes all contents beside their files, and only then puts them in their places: whatever goes wrong, each file is whole, the
// old one or the new one.
func replaceAll(all []replacement) (err error) {
	var beside []string
	defer func() {
		for _, b := range beside {
			_ = os.Remove(b)
		}
	}()
	targets := make([]string, len(all))
	for i, r := range all {
		if targets[i], err = filepath.EvalSymlinks(r.name); errors.Is(err, fs.ErrNotExist) {
			targets[i] = r.name
		} else if err != nil {
			return fmt.Errorf("write %w", err)
		}
		b, err := writeBeside(targets[i], r)
		if err != nil {
			return fmt.Errorf("write %s: %w", r.name, err)
		}
		beside = append(beside, b)
	}
	for i, b := range beside {
		if err := os.Rename(b, targets[i]); err != nil {
			return fmt.Errorf("write %w", err)
		}
	}
	return nil
}

// writeBeside writes a file in the directory of another, with the owner of that one, and with its mode unless it is private.
func writeBeside(target string, r replacement) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".")
	if err != nil {
		return "", err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if info, err := os.Stat(target); err == nil {
		mode := info.Mode().Perm()
		if r.private {
			mode &= 0o600
		}
		if err := errors.Join(f.Chmod(mode), likeOwner(f, info)); err != nil {
			return "", err
		}
	}
	if _, err := f.Write(r.content); err != nil {
		return "", err
	}
	return f.Name(), f.Sync()
}
