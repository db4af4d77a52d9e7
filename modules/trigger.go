package modules

import (
	"context"
	"errors"
	"time"

	"labctl/modules/host"
)

// Trigger is something that makes traffic while a probe looks on.
type Trigger struct {
	Ping    string  `json:"ping,omitempty" doc:"Address to send ICMP echo requests to."`
	TCP     string  `json:"tcp,omitempty" doc:"HOST:PORT to connect to."`
	UDP     string  `json:"udp,omitempty" doc:"HOST:PORT to send a datagram to."`
	ARP     string  `json:"arp,omitempty" doc:"IPv4 address to ask for, on dev."`
	Dev     string  `json:"dev,omitempty" doc:"Device for arp; device or address to ping and to send datagrams from."`
	Command string  `json:"command,omitempty" doc:"Command to run, words as in a shell; nothing is expanded."`
	Count   *int    `json:"count,omitempty" default:"1" doc:"How often."`
	Size    *int    `json:"size,omitempty" default:"56" doc:"Payload of ping and udp in bytes."`
	Wait    string  `json:"wait,omitempty" default:"1s" doc:"How long to wait for each answer."`
	NetNS   *string `json:"netns,omitempty" doc:"Network namespace, \"\" for the host's own; that of the task if unset."`
}

func (t *Trigger) validate(path string) error {
	n := 0
	for _, s := range []string{t.Ping, t.TCP, t.UDP, t.ARP, t.Command} {
		if s != "" {
			n++
		}
	}
	if n != 1 {
		return argf(path+"ping", "exactly one of ping, tcp, udp, arp and command is needed")
	}
	for name, address := range map[string]string{"tcp": t.TCP, "udp": t.UDP} {
		if err := validHostPort(path+name, address); address != "" && err != nil {
			return err
		}
	}
	if t.ARP != "" {
		if err := (&ARP{Address: t.ARP, Dev: t.Dev}).validate(); err != nil {
			return argf(path+"arp", "%v", err)
		}
	}
	if _, err := words(t.Command); t.Command != "" && err != nil {
		return argf(path+"command", "%v", err)
	}
	_, err := duration(path+"wait", t.Wait, 0)
	return firstFault(err, inRange(path+"count", t.Count, 1, 1000), inRange(path+"size", t.Size, 0, 65507))
}

// pull makes the traffic. An error says that it could not be made; that nobody answers is none.
func (t *Trigger) pull(ctx context.Context, h host.Host, netns string) error {
	if t.NetNS != nil {
		netns = *t.NetNS
	}
	n, err := h.Net(ctx, netns)
	if err != nil {
		return err
	}
	o := host.PingOptions{Count: 1, Interval: 10 * time.Millisecond, Size: 56, Source: t.Dev}
	if t.Count != nil {
		o.Count = *t.Count
	}
	if t.Size != nil {
		o.Size = *t.Size
	}
	o.Timeout, _ = duration("", t.Wait, time.Second) // validated
	if t.Ping != "" {
		_, err := n.Probes().Ping(ctx, t.Ping, o)
		return err
	}
	for range o.Count {
		if err := t.once(ctx, h, n, netns, o); err != nil {
			return err
		}
	}
	return nil
}

func (t *Trigger) once(ctx context.Context, h host.Host, n host.Net, netns string, o host.PingOptions) (err error) {
	switch {
	case t.TCP != "":
		if err = n.Probes().TCP(ctx, t.TCP, host.PingOptions{Timeout: o.Timeout}); errors.Is(err, host.ErrRefused) || errors.Is(err, host.ErrTimeout) || errors.Is(err, host.ErrUnreachable) {
			err = nil
		}
	case t.UDP != "":
		_, _, err = n.Probes().UDP(ctx, t.UDP, make([]byte, o.Size), o)
	case t.ARP != "":
		_, err = (&ARP{Address: t.ARP, Dev: t.Dev, Wait: t.Wait}).ask(ctx, n)
	default:
		argv, _ := words(t.Command) // validated
		_, err = h.Commands().Run(ctx, host.Exec{Argv: argv, NetNS: netns})
	}
	return err
}
