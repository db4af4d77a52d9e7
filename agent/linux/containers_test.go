package linux

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"labctl/modules/host"
	"labctl/modules/modulestest"
)

// containerEngines are how to start an engine whose whole state is below dir, on the socket dir/sock.
var containerEngines = map[string]func(dir string) []string{
	"docker": func(dir string) []string {
		return []string{"dockerd", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--storage-driver=vfs", "--data-root=" + dir + "/data",
			"--exec-root=" + dir + "/exec", "--pidfile=" + dir + "/pid", "-H", "unix://" + dir + "/sock"}
	},
	"podman": func(dir string) []string { // crun wants no hybrid of both versions of cgroups
		return []string{"podman", "--runtime=runc", "--root=" + dir + "/data", "--runroot=" + dir + "/run", "--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=file",
			"system", "service", "--time=0", "unix://" + dir + "/sock"}
	},
}

// startEngine starts an engine in a network and a mount namespace of its own, and returns its socket.
func startEngine(t *testing.T, name string) string {
	t.Helper()
	h := freshHost(t) // whatever is started from here is in the new network namespace
	if err := mustNet(t, h, "").Links().Set(ctxOf(t), host.Link{Name: "lo", Up: ptr(true)}); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "engine") // sockets have short names
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	argv := containerEngines[name](dir)
	if _, err := exec.LookPath(argv[0]); err != nil {
		if os.Getenv("LABCTL_TEST_KERNEL") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	log, err := os.Create(dir + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "CONTAINERS_CONF="+dir+"/containers.conf") // Podman's limits are more than a container of a CI may raise
	if err := os.WriteFile(dir+"/containers.conf", []byte("[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		stop := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		stop.Stop()
	})
	e := engine{sockets: []string{dir + "/sock"}}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_, err := e.Engine(ctxOf(t))
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(dir + "/log")
			t.Fatalf("%s does not answer: %v\n%s", name, err, text)
		}
	}
	importImage(t, &e)
	return e.sockets[0]
}

// importImage makes the image of the suites from the busybox of this machine.
func importImage(t *testing.T, e *engine) {
	t.Helper()
	root := t.TempDir()
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	script := `mkdir bin etc tmp && cp "$1" bin/busybox && for a in sh sleep cat; do ln -s busybox bin/$a; done && tar -cf ../image.tar .`
	cmd := exec.Command("sh", "-ec", script, "sh", busybox)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make image: %v %s", err, out)
	}
	image, err := os.ReadFile(filepath.Dir(root) + "/image.tar")
	if err != nil {
		t.Fatal(err)
	}
	c, err := e.connect()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	q := httpRequest{"POST", "engine", "/images/create?fromSrc=-&repo=" + modulestest.ContainerImage +
		"&changes=ENV+A%3Dimage&changes=ENV+PATH%3D%2Fbin&changes=LABEL+from%3Dimage&changes=CMD+%5B%22sh%22%2C%22-c%22%2C%22trap+exit+TERM%3B+sleep+600+%26+wait%22%5D", image}
	if status, body, err := q.text(c, maxAnswer); err != nil || status != 200 || strings.Contains(string(body), `"error"`) {
		t.Fatalf("import: %d %s %v", status, body, err)
	}
}

// onEngine is a host on the kernel whose containers are those of the engine at socket; there are none at first.
func onEngine(socket string) func(testing.TB) modulestest.Target {
	return func(t testing.TB) modulestest.Target {
		tg := onKernel(t)
		h := tg.Host.(*Host)
		h.engine.sockets = []string{socket}
		t.Cleanup(func() {
			all, err := h.Containers().List(context.Background())
			if err != nil {
				t.Errorf("clean up: %v", err)
			}
			for _, c := range all {
				if err := h.Containers().Delete(context.Background(), c.Name); err != nil {
					t.Errorf("clean up: %v", err)
				}
			}
		})
		return tg
	}
}

func TestContainersOnEngine(t *testing.T) {
	for name := range containerEngines {
		t.Run(name, func(t *testing.T) {
			socket := startEngine(t, name)
			for _, s := range modulestest.Containers() {
				t.Run(s.Title(), func(t *testing.T) { modulestest.Run(t, s, onEngine(socket)) })
			}
			t.Run("references", func(t *testing.T) { containerReferences(t, onEngine(socket)(t).Host.(*Host)) })
		})
	}
}

// containerReferences checks that a container's name leads to its namespace, to another one after a restart, and nowhere
// when it does not run; and that the engine's words reach the user.
func containerReferences(t *testing.T, h *Host) {
	ctx, cs := ctxOf(t), h.Containers()
	c := host.Container{Name: "web1", Image: modulestest.ContainerImage, Network: "none", Restart: "no"}
	for _, err := range []error{cs.Create(ctx, c), cs.Start(ctx, c.Name)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	inside := mustNet(t, h, "container:web1")
	if again := mustNet(t, h, "container:web1"); again != inside {
		t.Errorf("it is %v first and %v then", inside, again)
	}
	if err := inside.Links().Create(ctx, host.Link{Name: "br7", Kind: "bridge"}); err != nil {
		t.Fatal(err)
	}
	if err := cs.Stop(ctx, c.Name); err != nil {
		t.Fatal(err)
	}
	if err := cs.Create(ctx, c); !errors.Is(err, host.ErrExist) {
		t.Errorf("a second one of the name: %v", err)
	}
	if _, err := h.Net(ctx, "container:web1"); !errors.Is(err, host.ErrNoNetNS) || !strings.Contains(err.Error(), "does not run") {
		t.Errorf("stopped: %v", err)
	}
	if err := cs.Start(ctx, c.Name); err != nil {
		t.Fatal(err)
	}
	if _, err := mustNet(t, h, "container:web1").Links().Get(ctx, "br7"); !errors.Is(err, host.ErrNotExist) {
		t.Errorf("after a restart it is still the old one: %v", err)
	}
	for _, ref := range []string{"container:nothing", "container:", "container:../web1"} {
		if _, err := h.Net(ctx, ref); !errors.Is(err, host.ErrNoNetNS) {
			t.Errorf("%s: %v", ref, err)
		}
	}
	err := cs.Create(ctx, host.Container{Name: "other", Image: "127.0.0.1:1/nothing:7", Network: "none", Restart: "no"})
	if err == nil || !strings.Contains(err.Error(), "image 127.0.0.1:1/nothing:7 is not on this host, and cannot be pulled: ") {
		t.Errorf("image that cannot be had: %v", err)
	}
	answering := h.engine.sockets
	h.engine.sockets = []string{"/nothing.sock"}
	if _, err := cs.Get(ctx, "web1"); !errors.Is(err, host.ErrUnsupported) || !strings.Contains(err.Error(), "docker.io") {
		t.Errorf("no engine: %v", err)
	}
	h.engine.sockets = answering
}
