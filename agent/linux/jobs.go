package linux

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"labctl/modules/host"

	"golang.org/x/sys/unix"
)

// jobs is host.Jobs. Each has a directory that nobody else can look into: what it is asked for, until it has read that, who does
// it, and what it leaves.
type jobs struct{ h *Host }

// Jobs are those of the user that the agent runs as.
func (h *Host) Jobs() host.Jobs { return jobs{h} }

// jobVariable is where the agent that host.JobArgument asks for finds the directory of its job.
const jobVariable = "LABCTL_JOB"

// jobKept is how long the result of a job is kept that nobody has asked to forget.
const jobKept = 24 * time.Hour

var errJobDied = errors.New("it has ended without a result: it was killed, or the host has restarted")

// dir is where jobs are: in memory for root, so that they are gone with the boot that they were of; else in the home directory,
// which is where Ansible has them, too, or what stands in for one.
func (j jobs) dir() (string, error) {
	at := filepath.Join(filepath.Dir(j.h.runDir), "jobs")
	if os.Geteuid() != 0 {
		home, err := os.UserHomeDir()
		if err == nil {
			at = filepath.Join(home, ".cache/labctl/jobs")
			err = os.MkdirAll(at, 0o700)
		}
		if err != nil {
			at = filepath.Join(os.TempDir(), "labctl-jobs-"+strconv.Itoa(os.Geteuid()))
		}
	}
	if err := os.MkdirAll(at, 0o700); err != nil {
		return "", fileError("make", at, err)
	}
	info, err := os.Lstat(at)
	if err != nil {
		return "", fileError("look at", at, err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(st.Uid) != os.Geteuid() || info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("keep jobs in %s: it is not private to user %d: remove it", at, os.Geteuid())
	}
	return at, nil
}

// of is the directory of a job. An ID is nothing but its name.
func (j jobs) of(id string) (string, error) {
	if b, err := hex.DecodeString(id); err != nil || len(b) != 8 {
		return "", fmt.Errorf("%q is not the ID of a job: it is 16 hexadecimal digits, in result.NAME.job", id)
	}
	dir, err := j.dir()
	return filepath.Join(dir, id), err
}

func (j jobs) Start(_ context.Context, request []byte) (string, error) {
	all, err := j.dir()
	if err != nil {
		return "", err
	}
	j.sweep(all)
	b := make([]byte, 8)
	if _, err := unix.Getrandom(b, 0); err != nil {
		return "", fileError("name", "a job", err)
	}
	id := hex.EncodeToString(b)
	dir := filepath.Join(all, id)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", fileError("make", dir, err)
	}
	if err := j.begin(dir, request); err != nil {
		_ = os.RemoveAll(dir)
		return "", fmt.Errorf("start a job: %w", err)
	}
	j.h.writes.Add(1)
	return id, nil
}

// begin starts the process of a job: a session of its own, which no end of a connection reaches, in the
// directory where the agent runs what is no job, too.
func (j jobs) begin(dir string, request []byte) error {
	if err := os.WriteFile(filepath.Join(dir, "request"), request, 0o600); err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{filepath.Base(os.Args[0]), "agent", host.JobArgument}
	cmd.Env = append(os.Environ(), jobVariable+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // or it would remain as a zombie while the agent lives
	who := fmt.Sprintf("%d %d", cmd.Process.Pid, started(cmd.Process.Pid))
	return os.WriteFile(filepath.Join(dir, "process"), []byte(who), 0o600)
}

func (j jobs) Get(_ context.Context, id string) ([]byte, error) {
	dir, err := j.of(id)
	if err != nil {
		return nil, err
	}
	running := alive(dir) // asked first: it may end in between
	b, err := os.ReadFile(filepath.Join(dir, "result"))
	switch {
	case err == nil:
		return b, nil
	case !errors.Is(err, os.ErrNotExist):
		return nil, fileError("read result of job", id, err)
	case running:
		return nil, nil
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, fileError("find job", id, syscall.ENOENT)
	}
	return nil, fmt.Errorf("job %s: %w", id, errJobDied)
}

// alive reports whether the process of a job runs.
func alive(dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, "process"))
	id, since, _ := strings.Cut(string(b), " ")
	pid, bad := strconv.Atoi(id)
	return err == nil && bad == nil && since != "0" && strconv.FormatUint(started(pid), 10) == since
}

func (j jobs) Forget(_ context.Context, id string) error {
	dir, err := j.of(id)
	if err != nil {
		return err
	}
	return fileError("forget job", id, os.RemoveAll(dir))
}

// sweep removes old jobs that have ended.
func (j jobs) sweep(all string) {
	entries, _ := os.ReadDir(all)
	for _, e := range entries {
		dir := filepath.Join(all, e.Name())
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > jobKept && !alive(dir) {
			_ = os.RemoveAll(dir) // if it cannot be removed, it does no harm
		}
	}
}

// Job carries out the job of this process. The request, which may hold secrets, is gone before.
func (h *Host) Job(do func(request []byte) []byte) error {
	dir := os.Getenv(jobVariable)
	_ = os.Unsetenv(jobVariable) // it is none of the command's business
	file := filepath.Join(dir, "request")
	request, err := os.ReadFile(file)
	if err == nil {
		err = os.Remove(file)
	}
	if err != nil {
		return fmt.Errorf("read the job %s: %w", strings.TrimSpace(dir), err)
	}
	result := do(bytes.TrimSpace(request))
	temp := filepath.Join(dir, "result.new")
	if err := os.WriteFile(temp, result, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, filepath.Join(dir, "result"))
}
