package transporttest

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// starters run on one thread that lives as long as the program: prctl(2) ties PR_SET_PDEATHSIG to the thread that forked.
var starters = sync.OnceValue(func() chan<- func() {
	c := make(chan func())
	go func() {
		runtime.LockOSThread()
		for start := range c {
			start()
		}
	}()
	return c
})

// Start starts a process that does not outlive this one, which may be killed in the middle of a test.
func Start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started := make(chan error)
	starters() <- func() { started <- cmd.Start() }
	return <-started
}

// enclose puts all that the process starts into a pid namespace of which it is the init: it ends with it (pid_namespaces(7)).
func enclose(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
}
