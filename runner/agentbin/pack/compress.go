package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/ulikunitz/xz"
)

// dictionary is how far back a match may lie, in bytes: all of an agent, and no more than a router
// can spare to unpack it.
const dictionary = 4 << 20

// compress packs content as one .xz stream that every decoder reads: no filter before LZMA2 and
// the checksum of the smallest ones (https://tukaani.org/xz/xz-file-format.txt, sections 5.3 and
// 3.4). The program xz makes it a sixth smaller than Go's encoder, and is used where there is one.
func compress(goarch string, content []byte) ([]byte, error) {
	program, err := exec.LookPath("xz")
	if errors.Is(err, exec.ErrNotFound) {
		fmt.Fprintln(os.Stderr, "pack: without the program xz (Debian: xz-utils) the agents come out larger")
		return compressInGo(content)
	}
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, "--check=crc32", fmt.Sprintf("--lzma2=preset=9e,dict=%d,%s", dictionary, contexts(goarch)), "--threads=1", "--stdout")
	cmd.Env = append(os.Environ(), "XZ_DEFAULTS=", "XZ_OPT=") // the user's are for other files
	cmd.Stdin, cmd.Stderr = bytes.NewReader(content), os.Stderr
	packed, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("xz: %w", err)
	}
	return packed, nil
}

// contexts are by which bits LZMA guesses the next byte, as measured on agents: where instructions have four bytes each, by
// where in one the byte stands (1 % less), elsewhere by four bits of the last byte in place of three.
func contexts(goarch string) string {
	switch goarch {
	case "amd64", "386":
		return "lc=4"
	}
	return "lc=2,lp=2,pb=2"
}

func compressInGo(content []byte) ([]byte, error) {
	var packed bytes.Buffer
	w, err := xz.WriterConfig{DictCap: dictionary, CheckSum: xz.CRC32}.NewWriter(&packed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
