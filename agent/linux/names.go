package linux

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"labctl/modules/host"
)

// names translates between user and group names and numbers by /etc/passwd and /etc/group. (os/user, without cgo, reads the
// same files; this keeps them between calls.)
type names struct {
	mu            sync.Mutex
	users, groups database
}

// database is one of the two files, read again when it has changed.
type database struct {
	stamp  time.Time
	size   int64
	byName map[string]int
	byID   map[int]string
}

func (d *database) load(path string) {
	info, err := os.Stat(path)
	if err != nil || info.ModTime().Equal(d.stamp) && info.Size() == d.size {
		return
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return
	}
	d.stamp, d.size = info.ModTime(), info.Size()
	d.byName, d.byID = map[string]int{}, map[int]string{}
	for line := range strings.Lines(string(b)) {
		part := strings.SplitN(line, ":", 4)
		if len(part) < 4 {
			continue
		}
		id, err := strconv.Atoi(part[2])
		if _, twice := d.byName[part[0]]; err != nil || twice {
			continue
		}
		d.byName[part[0]] = id
		if _, shared := d.byID[id]; !shared { // the first one names it, as getpwuid(3)
			d.byID[id] = part[0]
		}
	}
}

func (n *names) user(id int) string  { return n.name(&n.users, "/etc/passwd", id) }
func (n *names) group(id int) string { return n.name(&n.groups, "/etc/group", id) }

func (n *names) name(d *database, path string, id int) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	d.load(path)
	if name, ok := d.byID[id]; ok {
		return name
	}
	return strconv.Itoa(id)
}

// ids returns the numbers of a's owner and group, -1 where unset.
func (n *names) ids(a host.FileAttrs) (uid, gid int, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if uid, err = n.users.id("/etc/passwd", "user", a.Owner); err != nil {
		return -1, -1, err
	}
	gid, err = n.groups.id("/etc/group", "group", a.Group)
	return uid, gid, err
}

func (d *database) id(path, what, name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	d.load(path)
	if id, ok := d.byName[name]; ok {
		return id, nil
	}
	if id, err := strconv.Atoi(name); err == nil && id >= 0 {
		return id, nil
	}
	return -1, fmt.Errorf("no %s is called %q", what, name)
}

func orElse(id, other int) int {
	if id == -1 {
		return other
	}
	return id
}

func procFD(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }
