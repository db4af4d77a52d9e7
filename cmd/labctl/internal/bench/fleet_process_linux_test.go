package bench

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sync/errgroup"

	"labctl/transport/transporttest"
)

// The verbs with which this program starts itself, so that servers, logins and labctl are a process each and none
// pays for another's memory: a child's peak is never below that of the process it was started from.
const (
	fleetServersVerb = "fleet-servers" // until the end of standard input
	fleetLoginsVerb  = "fleet-logins"  // N FLEET
)

// fleetMain is the program as one of the fleet's processes. It returns if it was not asked to be one.
func fleetMain(args []string) {
	if len(args) == 0 {
		return
	}
	run := map[string]func(*testing.T){
		fleetServersVerb: serveFleet,
		fleetLoginsVerb:  func(t *testing.T) { loginsMain(t, args[1:]) },
	}[args[0]]
	if run != nil {
		all := func(string, string) (bool, error) { return true, nil }
		testing.Main(all, []testing.InternalTest{{Name: args[0], F: run}}, nil, nil) // exits
	}
}

// fleetAddress tells a client of the fleet all it must know.
type fleetAddress struct {
	Jump              string // host:port
	JumpKey, HostsKey []byte // in SSH's wire format
	KeyFile           string // private key to log in with
	KnownHosts        string // with the jump host as "jump" and every host as "fleet"
}

// serveFleet is a jump host and a server behind it that is as many hosts as one likes: every session on it is "true", for
// the bare login, or else the recording of an agent.
func serveFleet(t *testing.T) {
	_, keyFile := transporttest.NewKey(t)
	rec, err := newRecording(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hosts := transporttest.New(t, transporttest.Config{Exec: func(_ context.Context, cmd string, stdin io.Reader, stdout, _ io.Writer) int {
		if cmd != "true" {
			_ = rec.play(stdin, stdout) // labctl tells what it misses
		}
		return 0
	}})
	entry := transporttest.New(t, transporttest.Config{Dial: func(string) (string, error) { return hosts.Addr, nil }})
	err = json.NewEncoder(os.Stdout).Encode(fleetAddress{
		Jump: entry.Addr, JumpKey: entry.HostKey.Marshal(), HostsKey: hosts.HostKey.Marshal(), KeyFile: keyFile,
		KnownHosts: transporttest.KnownHosts(t, jump, entry.HostKey, "fleet", hosts.HostKey),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// startFleet starts the servers in a process that ends with b.
func startFleet(b testing.TB) fleetAddress {
	b.Helper()
	cmd := exec.Command(os.Args[0], fleetServersVerb)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := errors.Join(stdin.Close(), cmd.Wait()); err != nil {
			b.Errorf("end the fleet's servers: %v", err)
		}
	})
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		b.Fatal(err)
	}
	var a fleetAddress
	if err := json.Unmarshal(line, &a); err != nil {
		b.Fatal(err)
	}
	return a
}

// loginsCommand is the bare minimum for n hosts: one connection to the jump host, and through it a login and "true" on
// every host.
func (a fleetAddress) loginsCommand(b testing.TB, n int) *exec.Cmd {
	b.Helper()
	text, err := json.Marshal(a)
	if err != nil {
		b.Fatal(err)
	}
	return exec.Command(os.Args[0], fleetLoginsVerb, strconv.Itoa(n), base64.StdEncoding.EncodeToString(text))
}

// loginsMain is the process of loginsCommand.
func loginsMain(t *testing.T, args []string) {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		t.Fatal(err)
	}
	text, err := base64.StdEncoding.DecodeString(args[1])
	if err != nil {
		t.Fatal(err)
	}
	var a fleetAddress
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	if err := a.logins(n); err != nil {
		t.Fatal(err)
	}
}

func (a fleetAddress) logins(n int) error {
	private, err := os.ReadFile(a.KeyFile)
	if err != nil {
		return err
	}
	key, err := ssh.ParsePrivateKey(private)
	if err != nil {
		return err
	}
	config := func(host []byte) (*ssh.ClientConfig, error) {
		k, err := ssh.ParsePublicKey(host)
		return &ssh.ClientConfig{User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.FixedHostKey(k)}, err
	}
	entry, err := config(a.JumpKey)
	if err != nil {
		return err
	}
	hosts, err := config(a.HostsKey)
	if err != nil {
		return err
	}
	bastion, err := ssh.Dial("tcp", a.Jump, entry)
	if err != nil {
		return err
	}
	defer bastion.Close()
	var all errgroup.Group
	for range n {
		all.Go(func() error { return login(bastion, hosts) })
	}
	return all.Wait()
}

func login(bastion *ssh.Client, config *ssh.ClientConfig) error {
	through, err := bastion.Dial("tcp", net.JoinHostPort(fleetHost, "22"))
	if err != nil {
		return err
	}
	conn, channels, requests, err := ssh.NewClientConn(through, fleetHost, config)
	if err != nil {
		return err
	}
	client := ssh.NewClient(conn, channels, requests)
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	return session.Run("true")
}
