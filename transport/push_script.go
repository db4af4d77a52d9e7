package transport

import (
	"fmt"
	"strings"
)

// The scripts below run by the sh of the target, but travel through whatever
// login shell the user has. What stands between single quotes means the same
// to dash, bash, zsh, ksh, fish and csh only if it holds no quote, no
// backslash, no exclamation mark and no line end, hence the restraint.

// beginning stands before all that a script of ours reads. A start-up file of the user's shell may read lines of standard
// input, and takes them from what is meant for the script; of these it finds empty ones first. No sh reads beyond the end
// of a line (read in POSIX), so that what follows is whole.
const beginning = emptyLines + "labctl-input\n"

const emptyLines = "\n\n\n\n\n\n\n\n"

// beginScript reads the beginning.
const beginScript = `begin() { while read -r x; do [ "$x" = labctl-input ] && return 0; done; return 0; };`

// findScript replaces itself by the agent if it is there. $1 lists
// machine:hash:room, with the room that the agent takes in units of 64 KiB, and
// wait:N to give it some N seconds to come while it is being pushed; the rest
// are the agent's arguments. One that has come meanwhile gets what waits on
// standard input only if somebody still listens: sshd does not end the commands
// of a connection that has ended, but sh ends when it writes to nobody, as it does each second that it waits. If the agent is
// not there, it says on standard output where one could run:
//
//	labctl-agent-missing MACHINE DIRECTORY unpack=[PROGRAM,...]
//
// with those of xz, unxz and gzip that there are, and - for DIRECTORY, then what
// was tried, if there is none. Directories that survive a reboot come first; one
// counts only if it is a real directory, its owner is the user and nobody else
// may enter (one that others could enter is not mended: what lies in it already
// may be theirs), as many bytes can be written there as the agent has, and a
// probe shows that programs may run there (/tmp, /run/user and /dev/shm are
// often mounted noexec). The probe is an empty file: execve refuses it with
// EACCES on noexec, else with ENOEXEC, at which sh runs it as a script without
// commands. To that end busybox runs /proc/self/exe, which there may not be: 127.
const findScript = beginScript + `umask 077;
p=$1; shift; m=$(uname -m); u=$(id -u); h=; n=0; w=0; q=:; f=; why=;
case $m in i?86) k=i386;; armv*) k=arm;; *) k=$m;; esac;
for x in $p; do case $x in $k:*) h=${x#*:}; n=${h#*:}; h=${h%:*};; wait:*) w=${x#*:}0; q=echo;; esac; done;
own() { set -- $(ls -ldn "$1" 2>/dev/null); case "$1 $3" in drwx------*" $u") return 0;; esac; return 1; };
have() { [ -x "$1/agent-$h" ] && own "$1" && f=$1/agent-$h; };
no() { why="$why $1: $2;"; rm -f "$t"; return 1; };
try() {
 t=$1/.probe-$$;
 e=$(mkdir -p "$1" 2>&1); [ -d "$1" ] || { no "$1" "cannot be made: ${e##*: }"; return 1; };
 if [ -L "$1" ]; then no "$1" "is a symbolic link"; return 1; fi;
 own "$1" || { no "$1" "not private to uid $u"; return 1; };
 e=$( (: > "$t") 2>&1 ) || { no "$1" "cannot be written: ${e##*: }"; return 1; };
 dd if=/dev/zero of="$t" bs=65536 count="$n" 2>/dev/null || { no "$1" "no room for an agent of $((n/16+1)) MiB"; return 1; };
 : > "$t"; chmod 700 "$t"; e=$("$t" 2>&1); case $? in 0|127) ;; *) no "$1" "programs may not run there: ${e##*: }"; return 1;; esac;
 rm -f "$t"; f=$1; return 0; };
each() {
 for d in "${XDG_CACHE_HOME:+$XDG_CACHE_HOME/labctl}" "${HOME:+$HOME/.cache/labctl}" "/var/tmp/labctl-$u" "${XDG_RUNTIME_DIR:+$XDG_RUNTIME_DIR/labctl}" "/dev/shm/labctl-$u" "/run/labctl-$u" "/tmp/labctl-$u";
 do [ -n "$d" ] && $1 "$d" && return 0; done; return 1; };
while [ -n "$h" ]; do each have && $q && begin && exec "$f" "$@"; [ $w -gt 0 ] || break; w=$((w-1)); sleep 0.1 2>/dev/null || { sleep 1; w=$((w-9)); }; case $w in *0) echo;; esac; done;
each try || f=-;
z=; for x in xz unxz gzip; do command -v $x >/dev/null 2>&1 && z=$z,$x; done;
[ "$f" = - ] || why=;
echo "labctl-agent-""missing $m $f unpack=$z$why"; exit 127`

// pushScript writes standard input to $1/agent-$2, whose size is $3, unpacked
// by program $4 if that is not empty; $5, if not empty, is how many bytes come:
// a terminal knows no end. It renames only what has the right size
// and, where there is a sha256sum, the right hash: a push cut off in the middle
// leaves at most a file that nobody runs, and which a later push removes,
// together with agents nobody pushed for 30 days. Every second it says on
// standard output how many bytes are there, by a process that looks often
// whether it is time to end: $! would hold an exclamation mark.
const pushScript = beginScript + `umask 077; d=$1; h=$2; t=$d/.push-$h.$$;
clean() { rm -f "$t"; }; trap clean EXIT; trap "exit 1" HUP INT TERM PIPE;
tell() { i=0; while sleep 0.1 || { sleep 1; i=$((i+9)); }; [ -e "$t" ]; do i=$((i+1)); [ $((i%10)) = 0 ] && echo "labctl-""pushed $(wc -c < "$t")"; done; };
begin; : > "$t"; tell 2>/dev/null &
if [ "$5" ]; then head -c "$5" | ${4:-cat} ${4:+-dc} > "$t"; elif [ "$4" ]; then $4 -dc > "$t"; else cat > "$t"; fi || { echo "write $t: status $?" >&2; exit 3; };
n=$(wc -c < "$t"); [ "$n" -eq "$3" ] || { echo "$t has $n bytes in place of $3" >&2; exit 4; };
s=$(sha256sum < "$t" 2>/dev/null); s=${s%% *};
case $s in "$h"|"") ;; *) echo "$t has the wrong sha256 $s" >&2; exit 5;; esac;
chmod 700 "$t" && mv -f "$t" "$d/agent-$h" || exit 6;
find "$d" -name "agent-*" -mtime +30 -exec rm -f {} + 2>/dev/null;
find "$d" -name ".push-*" -mtime +0 -exec rm -f {} + 2>/dev/null;
exit 0`

// shellWords is a command line that means these words to every login shell.
func shellWords(words []string) (string, error) {
	var line strings.Builder
	line.WriteString("exec")
	for _, w := range words {
		if strings.ContainsAny(w, "'\\!\n\r\x00") {
			return "", fmt.Errorf("%q cannot be quoted for every login shell", w)
		}
		line.WriteString(" '" + w + "'")
	}
	return line.String(), nil
}
