package modulestest

import (
	"context"
	"fmt"

	"labctl/modules"
	"labctl/modules/host"
)

// System returns the suites of the modules that manage the machine beside its network. They need a machine of their own: they
// change its users, its names and its files in /etc.
func System() []Suite {
	return []Suite{hostsSuite(), hostsEntriesSuite(), hostnameSuite(), cronSuite(), cronFileSuite(), userSuite(), systemUserSuite(), groupSuite(),
		authorizedKeySuite(), authorizedPathSuite(), sudoersSuite(),
		resolverSuite(), resolverNetNSSuite(), resolvedSuite()}
}

// apply makes calls of modules.
func apply(calls ...modules.Call) func(context.Context, host.Host, string) error {
	return func(ctx context.Context, h host.Host, _ string) error {
		for _, c := range calls {
			m, err := modules.Default.Lookup(c.Module)
			if err != nil {
				return err
			}
			if _, err := m.Apply(ctx, h, c); err != nil {
				return fmt.Errorf("%s %s: %w", c.Module, c.Params, err)
			}
		}
		return nil
	}
}

// sameFiles compares files of the model and the host: who may do what with them, and what is in them.
func sameFiles(paths ...string) func(context.Context, host.Host, host.Host) string {
	return func(ctx context.Context, model, real host.Host) string {
		for _, p := range paths {
			a, b := fileText(ctx, model, p), fileText(ctx, real, p)
			if a != b {
				return p + "\nmodel: " + a + "\nhost:  " + b
			}
		}
		return ""
	}
}

func fileText(ctx context.Context, h host.Host, p string) string {
	st, err := h.Files().Stat(ctx, p, false)
	if err != nil {
		return "none"
	}
	text := fmt.Sprintf("%s %04o %s:%s ", st.Type, st.Mode, st.Owner, st.Group)
	switch st.Type {
	case host.Directory:
		names, _ := h.Files().List(ctx, p)
		return text + fmt.Sprint(names)
	case host.RegularFile:
		b, _ := h.Files().Read(ctx, p, 1<<20)
		return text + string(b)
	}
	return text + st.Target
}

func hostsSuite() Suite {
	return Suite{Module: "hosts_file", Compare: sameFiles("/etc/hosts"), States: append(states("hosts_file", `{"address":"10.0.0.9","names":["a"]}`,
		`{"address":"10.0.0.9","names":["a.lab","a","b"]}`, `{"address":"10.0.0.9","names":["b","a"]}`), Absent("hosts_file", `{"address":"10.0.0.9","names":["b"]}`),
		Absent("hosts_file", `{"address":"10.0.0.9"}`)),
		Rejects: []Reject{{`{"address":"x","names":["a"]}`, "address"}, {`{"address":"::1","names":["a b"]}`, "names"}, {`{"address":"::1"}`, "names"},
			{`{"address":"x","entries":{"y":"a"}}`, "entries"}, {`{"address":"x","entries":{"::1":""}}`, "entries"}, {`{"address":"::1","names":["a"],"path":"hosts"}`, "path"}}}
}

func hostsEntriesSuite() Suite {
	return Suite{Module: "hosts_file", Name: "hosts_file entries", Compare: sameFiles("/etc/hosts", "/lab/hosts"), States: states("hosts_file",
		`{"address":"lab","entries":{"10.0.0.9":"a","fd00:0::1":"b  b.lab"}}`, `{"address":"lab","entries":{"fd00::1":"b"}}`,
		`{"address":"lab","path":"@DIR@/hosts","entries":{"::1":"localhost"}}`)}
}

func hostnameSuite() Suite {
	return Suite{Module: "hostname", Compare: sameFiles("/etc/hostname"), States: []modules.Call{State("hostname", `{"name":"boxA"}`), State("hostname", `{"name":"box-b.lab.example"}`)},
		Only: true, Rejects: []Reject{{`{"name":"a_b"}`, "name"}, {`{"name":"-a"}`, "name"}, {`{"name":"a..b"}`, "name"}}}
}

func cronSuite() Suite {
	return Suite{Module: "cron", Compare: sameFiles("/var/spool/cron/crontabs/root", "/var/spool/cron/crontabs"), States: states("cron", `{"name":"a","job":"/bin/a"}`,
		`{"name":"a","minute":"*/5","hour":"1-3,22","weekday":"mon","job":"/bin/a -x 'y  z'"}`, `{"name":"a","special_time":"daily","job":"/bin/a","disabled":true}`,
		`{"name":"a","special_time":"reboot","job":"/bin/b"}`, `{"name":"a","minute":"0","job":"/bin/a","disabled":true}`),
		Rejects: []Reject{{`{"name":"a","job":""}`, "job"}, {`{"name":"a","job":" x"}`, "job"}, {`{"name":"a","job":"x","minute":"60"}`, "minute"}, {`{"name":"a","job":"x","day":"0"}`, "day"},
			{`{"name":"a","job":"x","month":"mai"}`, "month"}, {`{"name":"a","job":"x","hour":"1","special_time":"daily"}`, "special_time"}, {`{"name":"a","job":"x","special_time":"never"}`, "special_time"},
			{`{"name":"a\nb","job":"x"}`, "name"}, {`{"name":"a","job":"x","cron_file":"a.b"}`, "cron_file"}, {`{"name":"a","job":"x","user":"a:b"}`, "user"}}}
}

func cronFileSuite() Suite {
	return Suite{Module: "cron", Name: "cron file", Compare: sameFiles("/etc/cron.d/other", "/etc/cron.d/lab"), States: states("cron", `{"name":"a","job":"/bin/a","cron_file":"other"}`,
		`{"name":"a","job":"/bin/a","cron_file":"other","user":"daemon","month":"jan"}`, `{"name":"a","special_time":"hourly","job":"/bin/a","cron_file":"other"}`,
		`{"name":"b","job":"/bin/b","cron_file":"lab"}`)}
}

var accountFiles = sameFiles("/etc/passwd", "/etc/group", "/home", "/home/u", "/home/u/.profile", "/home/u/.d", "/home/u/.d/x", "/srv/u")

func userSuite() Suite {
	return Suite{Module: "user", Compare: accountFiles, Setup: apply(State("group", `{"name":"one"}`), State("group", `{"name":"two"}`)),
		States: append(states("user", `{"name":"u"}`, `{"name":"u","uid":1234,"comment":"U, x","shell":"/bin/bash"}`, `{"name":"u","uid":1300,"group":"one","groups":["two"]}`,
			`{"name":"u","group":"1","groups":["one","two"]}`, `{"name":"u","groups":[]}`, `{"name":"u","groups":["one"],"append":true}`, `{"name":"u","password":"$6$abc$def"}`,
			`{"name":"u","password":"$6$abc$xyz","password_lock":true}`, `{"name":"u","password":"*"}`, `{"name":"u","password_lock":true}`, `{"name":"u","create_home":true,"home":"/home/u","comment":""}`,
			`{"name":"u","create_home":false}`, `{"name":"u","home":"/srv/u"}`),
			Absent("user", `{"name":"u"}`), Absent("user", `{"name":"u","remove":true}`)),
		Rejects: []Reject{{`{"name":"a:b"}`, "name"}, {`{"name":"17"}`, "name"}, {`{"name":"u","uid":-1}`, "uid"}, {`{"name":"u","shell":"sh"}`, "shell"}, {`{"name":"u","home":"/a:b"}`, "home"},
			{`{"name":"u","append":true}`, "append"}, {`{"name":"u","password":"secret"}`, "password"}, {`{"name":"u","groups":["a,b"]}`, "groups[0]"},
			{`{"name":"u","password":"*","password_lock":false}`, "password_lock"}}}
}

func systemUserSuite() Suite {
	return Suite{Module: "user", Name: "user of the system", Compare: accountFiles, States: states("user", `{"name":"s","system":true}`, `{"name":"s","system":true,"shell":"/usr/sbin/nologin","home":"/nonexistent"}`,
		`{"name":"s","system":true,"group":"daemon"}`)}
}

func groupSuite() Suite {
	return Suite{Module: "group", Compare: accountFiles, Setup: apply(State("user", `{"name":"u"}`), State("user", `{"name":"v"}`)), States: states("group", `{"name":"g"}`,
		`{"name":"g","gid":1500}`, `{"name":"g","gid":1501,"members":["v","u"]}`, `{"name":"g","members":["u"]}`, `{"name":"g","members":[]}`, `{"name":"g","system":true}`),
		Rejects: []Reject{{`{"name":"a b"}`, "name"}, {`{"name":"g","gid":-1}`, "gid"}, {`{"name":"g","members":["a:b"]}`, "members[0]"}}}
}

const (
	keyA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEwHq1sqrWlRhDpsPTEzRqbhqPZnZPKQEGMjoOKbXVrG"
	keyB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEwHq1sqrWlRhDpsPTEzRqbhqPZnZPKQEGMjoOKbXVrH"
)

func authorizedKeySuite() Suite {
	foreign := func(ctx context.Context, h host.Host, _ string) error {
		if err := h.Files().Mkdir(ctx, "/home/u/.ssh", host.FileAttrs{Mode: ptr(uint32(0o777))}, false); err != nil {
			return err
		}
		text := "# mine\n" + keyB + " old\n"
		return h.Files().Write(ctx, "/home/u/.ssh/authorized_keys", host.Content{Inline: []byte(text), Size: int64(len(text))}, host.FileAttrs{Mode: ptr(uint32(0o666))})
	}
	return Suite{Module: "authorized_key", Setup: setups(apply(State("user", `{"name":"u"}`)), foreign), Compare: sameFiles("/home/u/.ssh", "/home/u/.ssh/authorized_keys"),
		States: append(states("authorized_key", `{"user":"u","key":"`+keyA+` alice"}`, `{"user":"u","key":"`+keyA+` bob","options":["restrict","command=\"a \\\"b\\\" c\""]}`,
			`{"user":"u","key":"`+keyA+` x\n`+keyB+`"}`, `{"user":"u","key":"`+keyB+`","exclusive":true}`, `{"user":"u","key":"restrict `+keyA+`","exclusive":true}`),
			Absent("authorized_key", `{"user":"u","key":"`+keyA+`"}`), Absent("authorized_key", `{"user":"nobody-here","key":"`+keyA+`"}`)),
		Rejects: []Reject{{`{"user":"u"}`, "key"}, {`{"user":"u","key":"ssh-rsa AAAA"}`, "key"}, {`{"user":"u","key":"-----BEGIN OPENSSH PRIVATE KEY-----"}`, "key"}, {`{"user":"a b","key":"` + keyA + `"}`, "user"},
			{`{"user":"u","key":"` + keyA + `","options":["a b"]}`, "options[0]"}, {`{"user":"u","key":"` + keyA + `","path":"x"}`, "path"}}}
}

func authorizedPathSuite() Suite {
	return Suite{Module: "authorized_key", Name: "authorized_key elsewhere", States: states("authorized_key", `{"user":"root","path":"@DIR@/keys","key":"`+keyA+`"}`,
		`{"user":"root","path":"@DIR@/keys","key":"`+keyB+`","exclusive":true}`)}
}

func sudoersSuite() Suite {
	return Suite{Module: "sudoers", Compare: sameFiles("/etc/sudoers.d/lab"), States: states("sudoers", `{"name":"lab","user":"u"}`, `{"name":"lab","group":"sudo","nopassword":true}`,
		`{"name":"lab","user":"u","runas":"daemon","commands":["/bin/ls /tmp","/bin/true"]}`, `{"name":"lab","content":"Defaults lecture=never"}`, `{"name":"lab","content":""}`),
		Rejects: []Reject{{`{"name":"a.b","user":"u"}`, "name"}, {`{"name":"lab"}`, "user"}, {`{"name":"lab","user":"u","group":"g"}`, "group"}, {`{"name":"lab","user":"u","content":"x"}`, "content"},
			{`{"name":"lab","user":"u","commands":["ls"]}`, "commands[0]"}, {`{"name":"lab","user":"a b"}`, "user"}}}
}
