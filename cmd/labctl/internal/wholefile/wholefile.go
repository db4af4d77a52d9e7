// Package wholefile writes files that are whole, the old one or the new one, whatever goes wrong: beside their place first, on
// the disk, and then into it by a new name. It keeps what a program that writes a file in place would keep: links, owner, mode.
package wholefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// File is what a file is to hold. A new one has mode 0600; one that is there keeps its mode, and its owner where root writes it.
// Where it is a link, what that leads to is written, and where it is a device or a pipe, it is written to.
type File struct {
	Path    string
	Content []byte
	Private bool // nobody but its owner has access, whoever had before
}

// Write replaces one file.
func Write(f File) error { return WriteAll([]File{f}) }

// Create writes a new file, which is whole as soon as it has its name. Of several who do so at once one is first, and the others
// are told that the file exists.
func Create(path string, content []byte) error {
	temp, err := beside(path, func(f *os.File) error { _, err := f.Write(content); return err })
	if err != nil {
		return failed(path, err)
	}
	defer os.Remove(temp)
	if err := os.Link(temp, path); err != nil {
		return failed(path, err)
	}
	return nil
}

// WriteAll replaces files of which none is touched before all that can fail for want of room or of rights is done.
func WriteAll(files []File) (err error) {
	var pending []*pending
	defer func() {
		for _, p := range pending {
			p.discard()
		}
	}()
	for _, f := range files {
		p, err := prepare(f)
		if err != nil {
			return failed(f.Path, err)
		}
		pending = append(pending, p)
	}
	for _, p := range pending {
		if err := p.put(); err != nil {
			return failed(p.Path, err)
		}
	}
	return nil
}

// failed says which file could not be written, by the name that the user knows.
func failed(path string, err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		err = of.Err
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		err = link.Err
	}
	return fmt.Errorf("write %s: %w", path, err)
}

// pending is a file that is on the disk, and not in its place yet.
type pending struct {
	File
	target string // behind links
	beside string // "": it is written to as it is
}

func prepare(f File) (*pending, error) {
	target, err := follow(f.Path)
	if err != nil {
		return nil, err
	}
	p := &pending{File: f, target: target}
	there, err := os.Stat(target)
	switch {
	case err == nil && there.IsDir():
		return nil, errors.New("it is a directory")
	case err == nil && !there.Mode().IsRegular():
		return p, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	p.beside, err = beside(target, func(temp *os.File) error { return p.fill(temp, there) })
	return p, err
}

// beside makes a file of mode 0600 in the directory of another, and has it on the disk.
func beside(path string, fill func(*os.File) error) (name string, err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), ".labctl-*")
	if err != nil {
		return "", err
	}
	if err := errors.Join(fill(temp), temp.Sync(), temp.Close()); err != nil {
		_ = os.Remove(temp.Name())
		return "", err
	}
	return temp.Name(), nil
}

// fill writes the file, which is like the one that is there.
func (p *pending) fill(temp *os.File, there fs.FileInfo) error {
	if there != nil {
		mode := there.Mode().Perm()
		if p.Private {
			mode &= 0o600
		}
		if err := errors.Join(likeOwner(temp, there), temp.Chmod(mode)); err != nil {
			return err
		}
	}
	_, err := temp.Write(p.Content)
	return err
}

func (p *pending) put() error {
	if p.beside == "" {
		return p.stream()
	}
	if err := os.Rename(p.beside, p.target); err != nil {
		return err
	}
	p.beside = ""
	if dir, err := os.Open(filepath.Dir(p.target)); err == nil { // so that the name is on the disk, too; some cannot
		_ = errors.Join(dir.Sync(), dir.Close())
	}
	return nil
}

func (p *pending) stream() error {
	f, err := os.OpenFile(p.target, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(p.Content)
	return errors.Join(err, f.Close())
}

func (p *pending) discard() {
	if p.beside != "" {
		_ = os.Remove(p.beside)
	}
}

// maxLinks is how many links the kernel follows (path_resolution(7)).
const maxLinks = 40

// follow is where a path leads, be there a file or not: a link may be there before what it leads to.
func follow(path string) (string, error) {
	for range maxLinks {
		to, err := os.Readlink(path)
		if err != nil { // no link, or nothing
			return path, nil //nolint:nilerr // the file itself says what is wrong with it
		}
		if !filepath.IsAbs(to) {
			dir, err := filepath.EvalSymlinks(filepath.Dir(path)) // .. is that of the real directory
			if err != nil {
				return "", err
			}
			to = filepath.Join(dir, to)
		}
		if nameless(path, to) {
			return path, nil
		}
		path = to
	}
	return "", errors.New("too many levels of symbolic links")
}

// nameless tells the links of /proc/PID/fd to pipes and sockets, where there is no file, and which can be opened all the same.
func nameless(link, to string) bool {
	if _, err := os.Lstat(to); err == nil {
		return false
	}
	_, err := os.Stat(link)
	return err == nil
}
