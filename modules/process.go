package modules

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"labctl/modules/host"
	"labctl/modules/schema"
)

func init() {
	Register(Spec[Process]{
		Name: "process",
		Doc:  "Keeps a process running that lives on when labctl is done, for labs and tests; what belongs to the machine is a service. It is started again when it has ended or is to be another one. With ensure = \"absent\" it is ended.",
		Example: `process "web server" {
  argv   = ["python3", "-m", "http.server", "8800"]
  netns  = "boxA"
  chdir  = "/srv/www"
  stdout = "/var/log/lab-web.log"
  port   = 8800
}
`,
		Validate: (*Process).validate, Complete: (*Process).complete, Read: readListening, ReadAbsent: readProcess, Apply: applyProcess,
	})
}

// InOwnNetNS is embedded by modules for what lives in a namespace, and is another one when that is.
type InOwnNetNS struct {
	NetNS string `json:"netns,omitempty" lab:"immutable,exact" doc:"Network namespace: a name under /run/netns, pid:N, container:NAME, or a path. The host's own if unset."`
}

// Process is a process that lives on.
type Process struct {
	Name        string            `json:"name" lab:"key" doc:"Name of the process, of any text without /."`
	Argv        []string          `json:"argv,omitempty" lab:"immutable" doc:"Program and arguments."`
	Command     string            `json:"command,omitempty" lab:"option" doc:"The same as one line, split at blanks as by a shell, in place of argv."`
	Environment map[string]string `json:"environment,omitempty" lab:"immutable,exact" doc:"Variables added to the environment."`
	Chdir       string            `json:"chdir,omitempty" lab:"immutable,exact" doc:"Directory to run in; / if unset."`
	User        string            `json:"user,omitempty" lab:"immutable,exact" doc:"User to run as, with its groups; the agent's if unset."`
	Stdout      string            `json:"stdout,omitempty" lab:"immutable,exact" doc:"File that standard output and standard error are appended to; nowhere if unset."`
	PIDFile     string            `json:"pid_file,omitempty" lab:"immutable,exact" doc:"File to write the process ID to."`
	InOwnNetNS
	Port *int   `json:"port,omitempty" lab:"option" doc:"TCP port that it will listen on: the task is done when it does."`
	Wait string `json:"wait,omitempty" lab:"option" default:"10s" doc:"How long to wait for the port."`
	PID  *int   `json:"pid,omitempty" lab:"computed,made_up" doc:"Process ID."`
}

func (p *Process) validate() error {
	if strings.ContainsAny(p.Name, "/\x00") || p.Name[0] == '.' || len(p.Name) > 200 {
		return argf("name", "%q cannot be the name of a process: it names a file, too", p.Name)
	}
	if p.Argv != nil && p.Command != "" {
		return argf("command", "cannot be together with argv")
	}
	if p.Command != "" {
		argv, err := words(p.Command)
		if err != nil {
			return argf("command", "%v", err)
		}
		p.Argv = argv
	}
	if p.Argv != nil && (len(p.Argv) == 0 || p.Argv[0] == "") {
		return argf("argv", "names no program")
	}
	for name, path := range map[string]string{"chdir": p.Chdir, "stdout": p.Stdout, "pid_file": p.PIDFile} {
		if path == "" {
			continue
		}
		if err := absolute(name, path); err != nil {
			return err
		}
	}
	if _, err := duration("wait", p.Wait, 0); err != nil {
		return err
	}
	if len(p.Environment) == 0 {
		p.Environment = nil
	}
	return firstFault(validEnvironment(p.Environment), inRange("port", p.Port, 1, 65535))
}

func (p *Process) complete() error {
	if p.Argv == nil {
		return argf("argv", "required argument is missing")
	}
	return nil
}

// validEnvironment checks the names and values of variables.
func validEnvironment(env map[string]string) error {
	for name, value := range env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(value, 0) {
			return argf("environment", "%q is not the name of a variable", name)
		}
	}
	return nil
}

func readProcess(ctx context.Context, h host.Host, want *Process) (*Process, error) {
	p, err := getProcess(ctx, h, want.Name)
	if p == nil || err != nil {
		return nil, err
	}
	return &Process{Name: p.Name, Argv: p.Argv, Environment: p.Env, Chdir: p.Dir, User: p.User, Stdout: p.Stdout, PIDFile: p.PIDFile,
		InOwnNetNS: InOwnNetNS{p.NetNS}, PID: &p.PID}, nil
}

// readListening waits for the port of a process that is as it should be: it may not have come to that yet, or never will.
func readListening(ctx context.Context, h host.Host, want *Process) (*Process, error) {
	have, err := readProcess(ctx, h, want)
	if err != nil || have == nil || compare(processBlock, have, want).Action != None {
		return have, err
	}
	return have, want.await(ctx, h, host.Process{Name: have.Name, NetNS: have.NetNS})
}

var processBlock = schema.Of(reflect.TypeFor[Process]())

// await waits for the port.
func (p *Process) await(ctx context.Context, h host.Host, is host.Process) error {
	wait, err := duration("wait", p.Wait, 10*time.Second)
	if err != nil || p.Port == nil {
		return err
	}
	return awaitPort(ctx, h, is, *p.Port, wait)
}

// getProcess returns the process of that name; nil when none runs.
func getProcess(ctx context.Context, h host.Host, name string) (*host.Process, error) {
	p, err := h.Processes().Get(ctx, name)
	if errors.Is(err, host.ErrNotExist) {
		return nil, nil
	}
	return &p, err
}

func applyProcess(ctx context.Context, h host.Host, have, want *Process, _ Diff) error {
	if want == nil {
		return h.Processes().Stop(ctx, have.Name)
	}
	p := host.Process{Name: want.Name, Argv: want.Argv, Env: want.Environment, Dir: want.Chdir, User: want.User, Stdout: want.Stdout,
		PIDFile: want.PIDFile, NetNS: want.NetNS}
	if err := h.Processes().Start(ctx, p); err != nil {
		return err
	}
	return want.await(ctx, h, p)
}

// awaitPort waits until somebody listens on a port in the namespace of a process, as long as that runs.
func awaitPort(ctx context.Context, h host.Host, p host.Process, port int, wait time.Duration) error {
	if host.Planning(h) {
		return nil
	}
	n, err := h.Net(ctx, p.NetNS)
	if err != nil {
		return err
	}
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		for _, file := range []string{"tcp", "tcp6"} {
			text, err := n.Probes().Proc(ctx, file)
			if err != nil || len(listening(text, strconv.Itoa(port), tcpListen)) > 0 {
				return err
			}
		}
		switch _, err := h.Processes().Get(ctx, p.Name); {
		case errors.Is(err, host.ErrNotExist):
			return fmt.Errorf("process %s: ended before it listened on port %d", p.Name, port)
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case time.Since(start) > wait:
			return fmt.Errorf("process %s: does not listen on port %d after %s", p.Name, port, wait)
		}
	}
}
