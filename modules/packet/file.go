package packet

import (
	"encoding/binary"
	"time"
)

// FileHeader begins a pcap file of Ethernet frames: draft-ietf-opsawg-pcap, with times in microseconds.
func FileHeader() []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	return binary.LittleEndian.AppendUint64(b, 1<<32|1<<18) // link type and most of a frame
}

// AppendRecord appends a frame of which length were on the wire.
func AppendRecord(b []byte, at time.Time, frame []byte, length int) []byte {
	for _, v := range [4]int64{at.Unix(), int64(at.Nanosecond() / 1000), int64(len(frame)), int64(length)} {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	return append(b, frame...)
}
