package modules

import (
	"context"
	"errors"
	"strings"
	"syscall"

	"labctl/modules/host"
)

// maxText bounds the size in bytes of the files of the system that are kept line by line.
const maxText = 4 << 20

// fileLines returns the lines of the file, none when it does not exist.
func fileLines(ctx context.Context, h host.Host, path string) ([]string, error) {
	b, err := h.Files().Read(ctx, path, maxText)
	if errors.Is(err, host.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || len(b) == 0 && err == nil {
		return nil, nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n"), err
}

// putLines makes lines the content of the file. Its directory must be there.
func putLines(ctx context.Context, h host.Host, path string, lines []string, a host.FileAttrs) error {
	text := strings.Join(lines, "\n")
	if text != "" {
		text += "\n"
	}
	return inMissingDirectory(h.Files().Write(ctx, path, inlineContent(text), a))
}

func inlineContent(text string) host.Content {
	return host.Content{Inline: []byte(text), Size: int64(len(text))}
}

// mode returns the attributes of a file with permissions m.
func mode(m uint32) host.FileAttrs { return host.FileAttrs{Mode: &m} }

// oneLine refuses a text that would end its line in a file, in argument path.
func oneLine(path, text string) error {
	if strings.ContainsAny(text, "\n\r\x00") {
		return argf(path, "%q is not one line", text)
	}
	return nil
}

// orError returns err, or other when there is none.
func orError(err, other error) error {
	if err != nil {
		return err
	}
	return other
}
