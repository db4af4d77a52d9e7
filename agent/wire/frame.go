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

// MaxPart bounds the data of a Part. What is not taken at its end holds up the file, not the memory.
const MaxPart = 128 << 10

// A length with this bit is that of a Part with data: four bytes of ID, then the data. In JSON it would be a third longer.
const partBit, partHead = 1 << 31, 4

// head is how long the length is.
const head = 4

// Write sends one frame: four bytes of length, big endian, then JSON. One Write call on w.
func Write(w io.Writer, f *Frame) error {
	if f.Part != nil && len(f.Part.Data) > 0 {
		return writePart(w, f.Part)
	}
	buf, err := codec.Append(make([]byte, head, 512), f)
	if err != nil {
		return fmt.Errorf("encode frame: %w", err)
	}
	n := len(buf) - head
	if n > maxFrame {
		return fmt.Errorf("encode frame: %d bytes are more than the %d a frame may have", n, maxFrame)
	}
	binary.BigEndian.PutUint32(buf, uint32(n))
	if _, err := w.Write(buf); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	return nil
}

func writePart(w io.Writer, p *Part) error {
	if len(p.Data) > MaxPart {
		return fmt.Errorf("encode part: %d bytes are more than the %d it may have", len(p.Data), MaxPart)
	}
	buf := binary.BigEndian.AppendUint32(make([]byte, 0, 4+partHead+len(p.Data)), partBit|uint32(partHead+len(p.Data)))
	buf = binary.BigEndian.AppendUint32(buf, uint32(p.ID))
	if _, err := w.Write(append(buf, p.Data...)); err != nil {
		return fmt.Errorf("write part: %w", err)
	}
	return nil
}

// Read receives one frame. io.EOF says that the other side ended between frames.
func Read(r *bufio.Reader) (*Frame, error) {
	var length [head]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n&partBit != 0 {
		return readPart(r, n&^partBit)
	}
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

func readPart(r io.Reader, n uint32) (*Frame, error) {
	if n < partHead || n > partHead+MaxPart {
		return nil, fmt.Errorf("read part: length %d: not a labctl agent, or the stream is damaged", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, fmt.Errorf("read part: %w", err)
	}
	return &Frame{Part: &Part{ID: int(binary.BigEndian.Uint32(body)), Data: body[partHead:]}}, nil
}
