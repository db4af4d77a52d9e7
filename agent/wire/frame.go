package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
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

// Write sends one frame. One Write call on w.
func Write(w io.Writer, f *Frame) error {
	size := 512
	if f.Part != nil {
		size += len(f.Part.Data)
	}
	buf, err := Append(make([]byte, 0, size), f)
	if err != nil {
		return err
	}
	if _, err := w.Write(buf); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	return nil
}

// Append puts one frame behind what is in out: four bytes of length, big endian, then JSON.
func Append(out []byte, f *Frame) ([]byte, error) {
	if f.Part != nil && len(f.Part.Data) > 0 {
		return appendPart(out, f.Part)
	}
	start := len(out)
	all, err := codec.Append(append(out, make([]byte, head)...), f)
	if err != nil {
		return out, fmt.Errorf("encode frame: %w", err)
	}
	n := len(all) - start - head
	if n > maxFrame {
		return out, fmt.Errorf("encode frame: %d bytes are more than the %d a frame may have", n, maxFrame)
	}
	binary.BigEndian.PutUint32(all[start:], uint32(n))
	return all, nil
}

func appendPart(out []byte, p *Part) ([]byte, error) {
	if len(p.Data) > MaxPart {
		return out, fmt.Errorf("encode part: %d bytes are more than the %d it may have", len(p.Data), MaxPart)
	}
	out = binary.BigEndian.AppendUint32(out, partBit|uint32(partHead+len(p.Data)))
	out = binary.BigEndian.AppendUint32(out, uint32(p.ID))
	return append(out, p.Data...), nil
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
	body, err := next(r, int(n))
	if err != nil {
		return nil, fmt.Errorf("read frame: %w", err)
	}
	f := new(Frame)
	if err := codec.Unmarshal(body, f); err != nil {
		return nil, fmt.Errorf("decode frame: %w", err)
	}
	return f, nil
}

// next returns the next n bytes, which are good until r is read again: what fits in its buffer is not copied out of it.
func next(r *bufio.Reader, n int) (b []byte, err error) {
	if n > r.Size() {
		b = make([]byte, n)
		_, err = io.ReadFull(r, b)
		return b, err
	}
	b, err = r.Peek(n)
	_, _ = r.Discard(len(b)) // which are there
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return b, err
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
