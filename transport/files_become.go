package transport

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// placeScript writes standard input to $1/$2, whose size is $3. The name
// appears when all of it is there. $4, if not empty, says that a terminal is
// what it comes by, which knows no end.
const placeScript = `umask 077; mkdir -p "$1" || exit 3; t=$1/.put-$$;
clean() { rm -f "$t"; }; trap clean EXIT; trap "exit 1" HUP INT TERM PIPE;
if [ "$4" ]; then head -c "$3"; else cat; fi > "$t" || exit 4; n=$(wc -c < "$t"); [ "$n" -eq "$3" ] || { echo "$2 has $n bytes in place of $3" >&2; exit 5; };
mv -f "$t" "$1/$2"`

// UploadAs writes size bytes of r to path as another user: SFTP knows the login
// user alone. Nobody else may read what it writes. The directory of path is
// made if it is missing.
func UploadAs(ctx context.Context, conn Conn, become *Become, path string, size int64, r io.Reader) error {
	i := strings.LastIndexByte(path, '/')
	if i <= 0 {
		return fmt.Errorf("upload %q: not an absolute path", path)
	}
	how, tty := become.manner(true), ""
	if how.tty {
		tty = "tty"
	}
	command, err := how.command("labctl-put", placeScript, path[:i], path[i+1:], fmt.Sprint(size), tty)
	if err != nil {
		return fmt.Errorf("upload %s: %w", path, err)
	}
	switch said, err := feedAs(ctx, conn, how, command, r); {
	case err != nil && said != "":
		return fmt.Errorf("upload %s: %w: %s", path, err, said)
	case err != nil:
		return fmt.Errorf("upload %s: %w", path, err)
	}
	return nil
}
