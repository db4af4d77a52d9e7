package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// account is one line of passwd(5).
type account struct {
	name, home, shell string
	uid, gid          int
}

// openAccount makes the login user able to log in with the key, and with the key alone. A user that this
// computer has keeps his ids; his home is a new one.
func openAccount(name, authorizedKey string) error {
	a, err := setPasswd(name)
	if err != nil {
		return err
	}
	if err := setShadow(name); err != nil {
		return err
	}
	if err := makeHome(a); err != nil {
		return err
	}
	if err := authorize(a, authorizedKey); err != nil {
		return err
	}
	if name == "root" {
		return nil
	}
	return allowSudo(name)
}

// setPasswd finds or adds the user, with a shell that lets him in.
func setPasswd(name string) (account, error) {
	lines, err := readTable("/etc/passwd")
	if err != nil {
		return account{}, err
	}
	at := slices.IndexFunc(lines, func(f []string) bool { return f[0] == name && len(f) == 7 })
	if at < 0 {
		uid, gid, err := newIDs(name, lines)
		if err != nil {
			return account{}, err
		}
		lines = append(lines, []string{name, "x", uid, gid, "", "/home/" + name, "/bin/bash"})
		at = len(lines) - 1
	}
	user := lines[at]
	if base := filepath.Base(user[6]); base == "nologin" || base == "false" || !isFile(user[6]) {
		user[6] = "/bin/bash"
		if !isFile(user[6]) {
			user[6] = "/bin/sh"
		}
	}
	uid, err1 := strconv.Atoi(user[2])
	gid, err2 := strconv.Atoi(user[3])
	if err1 != nil || err2 != nil {
		return account{}, fmt.Errorf("malformed ids of user %q in /etc/passwd", name)
	}
	return account{name, user[5], user[6], uid, gid}, writeTable("/etc/passwd", lines, 0o644)
}

// newIDs finds the first id from 1000 that is neither a user's nor a group's, and makes a group of the user's
// name; if there is one already, that is his.
func newIDs(name string, users [][]string) (uid, gid string, err error) {
	groups, err := readTable("/etc/group")
	if err != nil {
		return "", "", err
	}
	taken := map[string]bool{}
	for _, f := range slices.Concat(users, groups) {
		if len(f) > 2 {
			taken[f[2]] = true
		}
	}
	id := 1000
	for taken[strconv.Itoa(id)] {
		id++
	}
	uid = strconv.Itoa(id)
	if at := slices.IndexFunc(groups, func(f []string) bool { return f[0] == name && len(f) > 2 }); at >= 0 {
		return uid, groups[at][2], nil
	}
	return uid, uid, writeTable("/etc/group", append(groups, []string{name, "x", uid, ""}), 0o644)
}

// setShadow gives the user a password that no input matches. "!" would do that too, but sshd
// without PAM takes it for a locked account (auth.c, allowed_user), and sudo asks shadow(5) for
// the account's age.
func setShadow(name string) error {
	lines, err := readTable("/etc/shadow")
	if err != nil {
		return err
	}
	lines = slices.DeleteFunc(lines, func(f []string) bool { return f[0] == name })
	lines = append(lines, []string{name, "*", "19000", "0", "99999", "7", "", "", ""})
	return writeTable("/etc/shadow", lines, 0o640)
}

// makeHome makes the home directory with what a new user finds in it.
func makeHome(a account) error {
	if err := os.MkdirAll(a.home, 0o755); err != nil {
		return err
	}
	if err := os.Chown(a.home, a.uid, a.gid); err != nil {
		return err
	}
	entries, _ := os.ReadDir("/etc/skel")
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join("/etc/skel", e.Name()))
		if err != nil {
			continue // a directory: nobody needs those here
		}
		if err := writeOwned(filepath.Join(a.home, e.Name()), text, 0o644, a); err != nil {
			return err
		}
	}
	return nil
}

func authorize(a account, key string) error {
	dir := filepath.Join(a.home, ".ssh")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.Chown(dir, a.uid, a.gid); err != nil {
		return err
	}
	return writeOwned(filepath.Join(dir, "authorized_keys"), []byte(key+"\n"), 0o600, a)
}

func allowSudo(name string) error {
	if err := os.MkdirAll("/etc/sudoers.d", 0o750); err != nil {
		return err
	}
	return os.WriteFile("/etc/sudoers.d/labctl-sandbox", []byte(name+" ALL=(ALL:ALL) NOPASSWD: ALL\n"), 0o440)
}

// sudoWarning says so if a login user could not become root.
func sudoWarning(name string) string {
	if _, err := exec.LookPath("sudo"); name == "root" || err == nil {
		return ""
	}
	return fmt.Sprintf("user %q cannot become root: this computer has no sudo (apt-get install sudo)", name)
}

// readTable reads a file of lines with fields between colons.
func readTable(path string) (lines [][]string, err error) {
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\n"); line != "" {
			lines = append(lines, strings.Split(line, ":"))
		}
	}
	return lines, nil
}

func writeTable(path string, lines [][]string, mode os.FileMode) error {
	var b strings.Builder
	for _, f := range lines {
		b.WriteString(strings.Join(f, ":") + "\n")
	}
	return os.WriteFile(path, []byte(b.String()), mode)
}

func writeOwned(path string, text []byte, mode os.FileMode, a account) error {
	if err := os.WriteFile(path, text, mode); err != nil {
		return err
	}
	return os.Chown(path, a.uid, a.gid)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
