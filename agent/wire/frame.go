package wire

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"labctl/modules/codec"
)

// maxFrame bounds a frame: 64 MiB. Larger contents travel by hash.
const maxFrame = 64 << 20

// Write sends one frame: four bytes of length, big endian, then JSON. One Write call on w.
func Write(w io.Writer, f *Frame) error {
	body, err := codec.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode frame: %w", err)
	}
	if len(body) > maxFrame {
		return fmt.Errorf("encode frame: %d bytes are more than the %d a frame may have", len(body), maxFrame)
	}
	buf := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body)))
	if _, err := w.Write(append(buf, body...)); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	return nil
}

// Read receives one frame. io.EOF says that the other side ended between frames.
func Read(r *bufio.Reader) (*Frame, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxFrame {
		return nil, fmt.Errorf("read frame: length %d is more than %d: not a labctl agent, or the stream is damaged", n, maxFrame)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, fmt.Errorf("read frame: %w", err)
	}
	f := new(Frame)
	if err := codec.Unmarshal(body, f); err != nil {
		return nil, fmt.Errorf("decode frame: %w", err)
	}
	return f, nil
}
