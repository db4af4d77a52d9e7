package modules

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Bandwidth]{
		Name: "bandwidth",
		Doc:  "Measures what gets through from one host to another. The far end counts what arrives: the bytes of a connection, or datagrams, and how many of those are lost. When a connection stands but nothing gets through, smaller packets tell whether the way drops those that are too big for it and does not say so.",
		Example: `bandwidth "boxA to boxB" {
  from     = "boxA"
  to       = "boxB"
  at_least = "500mbit"
}
bandwidth "the slow link" {
  from    = "boxA"
  to      = "boxC"
  at_most = "10.5mbit"
}
bandwidth "the link that loses" {
  from          = "boxA"
  to            = "boxD"
  proto         = "udp"
  rate          = "5mbit"
  loss_at_least = "1%"
  loss_at_most  = "20%"
}
`,
		Validate: (*Bandwidth).validate, Probe: floodBandwidth, Listen: drainBandwidth,
	})
}

// Bandwidth is a measurement of the way between two hosts, in one direction.
type Bandwidth struct {
	Name string `json:"name" lab:"key" doc:"What the check is called."`
	Between
	Proto    string `json:"proto,omitempty" enum:"tcp,udp" default:"tcp" doc:"One connection, as fast as it goes, or datagrams at a rate."`
	Port     *int   `json:"port,omitempty" default:"5201" doc:"Port of the far end. It listens itself; nobody else may."`
	AtLeast  string `json:"at_least,omitempty" doc:"What has to arrive in the units of tc(8), such as \"10mbit\": payload, without headers."`
	AtMost   string `json:"at_most,omitempty" doc:"What may arrive; but something has to, unless it is \"0bit\"."`
	Rate     string `json:"rate,omitempty" lab:"option" doc:"What is sent with proto = \"udp\", and required there."`
	LossMin  string `json:"loss_at_least,omitempty" doc:"How many of the datagrams have to be lost, such as \"1%\"."`
	LossMax  string `json:"loss_at_most,omitempty" doc:"How many of the datagrams may be lost."`
	Duration string `json:"duration,omitempty" lab:"option" default:"1s" doc:"How long to send, up to 60s. The first quarter does not count for the rate: connections start slowly, and shapers let a burst pass."`
	Size     *int   `json:"size,omitempty" lab:"option" default:"1200" doc:"Payload of a datagram in bytes."`
	Wait     string `json:"wait,omitempty" lab:"option" default:"3s" doc:"How long to wait for the connection; with proto = \"udp\" for datagrams that are still under way, 1s by default."`
	Source   string `json:"source,omitempty" lab:"option" doc:"Address or interface to send from; the kernel chooses if unset."`

	Mbit      float64 `json:"mbit,omitempty" lab:"computed" doc:"What has arrived in a second, in 10^6 bits."`
	Sent      int     `json:"sent,omitempty" lab:"computed" doc:"Datagrams that were sent."`
	Received  int     `json:"received,omitempty" lab:"computed" doc:"Datagrams that have arrived; one that came twice counts once."`
	Loss      float64 `json:"loss,omitempty" lab:"computed" doc:"Those that have not, in percent."`
	Again     int     `json:"retransmits,omitempty" lab:"computed" doc:"Segments of the connection that were sent again."`
	MSS       int     `json:"mss,omitempty" lab:"computed" doc:"Bytes in a segment of the connection."`
	MTU       int     `json:"path_mtu,omitempty" lab:"computed" doc:"MTU of the way as the near host knows it."`
	BlackHole bool    `json:"black_hole,omitempty" lab:"computed" doc:"Small packets get through, big ones do not, and nobody tells the near host."`
	Told      string  `json:"told,omitempty" lab:"computed" doc:"What the near host was told while it sent datagrams."`
}

const (
	bandwidthPort = 5201
	datagramLen   = 1200 // fits through everything, tunnels included
	datagramMark  = "labctlbw"
	smallMSS      = 500 // 576 is what every IPv4 host takes (RFC 791)
)

func (b *Bandwidth) validate() error {
	b.Proto = cmp.Or(b.Proto, "tcp")
	udp := b.Proto == "udp"
	for _, a := range []struct {
		path string
		set  bool
	}{{"rate", b.Rate != ""}, {"size", b.Size != nil}, {"loss_at_least", b.LossMin != ""}, {"loss_at_most", b.LossMax != ""}} {
		if a.set && !udp {
			return argf(a.path, "goes with proto = \"udp\"")
		}
	}
	if udp && b.Rate == "" {
		return argf("rate", "required with proto = \"udp\": how much to send, such as \"10mbit\"")
	}
	for _, a := range []struct {
		path, text string
		u          unit
	}{{"at_least", b.AtLeast, rates}, {"at_most", b.AtMost, rates}, {"rate", b.Rate, rates}, {"loss_at_least", b.LossMin, shares}, {"loss_at_most", b.LossMax, shares}} {
		if a.text == "" {
			continue
		}
		if v, err := a.u.parse(a.path, a.text); err != nil {
			return err
		} else if a.path == "rate" && v < 1000 {
			return argf("rate", "%q is too little to measure", a.text)
		}
	}
	if strings.ContainsAny(b.Address, " /\x00") {
		return argf("address", "%q is not an address or a name", b.Address)
	}
	d, err := duration("duration", b.Duration, time.Second)
	if err == nil && (d < 100*time.Millisecond || d > time.Minute) {
		err = argf("duration", "%q is not from 100ms to 60s", b.Duration)
	}
	_, err2 := duration("wait", b.Wait, 0)
	return firstFault(err, err2, inRange("port", b.Port, 1, 65535), inRange("size", b.Size, 16, 65507))
}

// The arguments below have been validated.

func (b *Bandwidth) port() int {
	if b.Port != nil {
		return *b.Port
	}
	return bandwidthPort
}

func (b *Bandwidth) size() int {
	if b.Size != nil {
		return *b.Size
	}
	return datagramLen
}

func (b *Bandwidth) duration() time.Duration {
	d, _ := duration("", b.Duration, time.Second)
	return d
}

func (b *Bandwidth) wait() time.Duration {
	unset := 3 * time.Second
	if b.Proto == "udp" {
		unset = time.Second
	}
	d, _ := duration("", b.Wait, unset)
	return d
}

// drainBandwidth opens the far end.
func drainBandwidth(ctx context.Context, h host.Host, want *Bandwidth) (func(*Bandwidth) (*Bandwidth, error), error) {
	n, err := want.far(ctx, h)
	if err != nil {
		return nil, err
	}
	m := &meter{datagrams: want.Proto == "udp", from: want.duration() / 4, to: want.duration()}
	l, err := n.Probes().Listen(ctx, want.Proto, want.port(), m.take)
	if err != nil {
		return nil, err
	}
	return func(b *Bandwidth) (*Bandwidth, error) {
		defer l.Close()
		if b.Sent > 0 {
			m.await(ctx, b.Sent, b.wait())
		}
		b.measured(m)
		return b, b.verdict()
	}, nil
}

// floodBandwidth sends from the near end.
func floodBandwidth(ctx context.Context, h host.Host, want *Bandwidth) (*Bandwidth, error) {
	n, err := want.net(ctx, h)
	if err != nil {
		return nil, err
	}
	out := *want
	o := host.StreamOptions{Source: want.Source, Timeout: want.wait(), Duration: want.duration()}
	next := func() []byte { return zeros[:] }
	if want.Proto == "udp" {
		next = out.datagrams(ctx)
	}
	address := joinPort(want.Address, want.port())
	r, err := n.Probes().Stream(ctx, want.Proto, address, o, next)
	out.Again, out.MSS, out.MTU, out.Told = r.Retransmits, r.MSS, r.MTU, r.Told
	if err == nil && want.Proto == "tcp" && r.Acked == 0 {
		o.MSS, o.Duration = smallMSS, min(o.Duration, 500*time.Millisecond)
		r, err = n.Probes().Stream(ctx, want.Proto, address, o, next)
		out.BlackHole = r.Acked > 0
	}
	return &out, err
}

// zeros are what a connection carries.
var zeros [64 << 10]byte

// datagrams returns what makes them, numbered, each when it is due. When this host was too busy to do so, what is overdue is
// left out: sent all at once it would be lost, and say nothing of the way.
func (b *Bandwidth) datagrams(ctx context.Context) func() []byte {
	rate, _ := rates.parse("", b.Rate)
	p := make([]byte, b.size())
	copy(p, datagramMark)
	pause := time.Duration(float64(len(p)) * float64(time.Second) / float64(rate))
	due := time.Now()
	end := due.Add(b.duration())
	return func() []byte {
		now := time.Now()
		switch {
		case !due.Before(end):
			return nil
		case due.After(now):
			sleep(ctx, due.Sub(now))
		case now.Sub(due) > 50*time.Millisecond:
			due = now
		}
		due = due.Add(pause)
		binary.BigEndian.PutUint64(p[8:], uint64(b.Sent))
		b.Sent++
		return p
	}
}

// measured notes what has come.
func (b *Bandwidth) measured(m *meter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b.Received = m.received
	if !b.BlackHole {
		b.Mbit = math.Round(float64(m.counted)*8/(m.to-m.from).Seconds()/1e3) / 1e3
	}
	if b.Sent > 0 {
		b.Loss = math.Round(float64(b.Sent-b.Received)*1e5/float64(b.Sent)) / 1e3
	}
}

// verdict compares what has come with what is expected.
func (b *Bandwidth) verdict() error {
	expected := ""
	least, _ := rates.parse("", b.AtLeast)
	most, _ := rates.parse("", b.AtMost)
	lossMin, _ := shares.parse("", b.LossMin)
	lossMax, _ := shares.parse("", b.LossMax)
	got, lost := b.Mbit*1e6/8, b.Loss*math.MaxUint32/100
	switch {
	case b.AtLeast != "" && got < float64(least):
		expected = "at least " + b.AtLeast
	case b.AtMost != "" && got > float64(most):
		expected = "at most " + b.AtMost
	case b.LossMin != "" && lost < float64(lossMin):
		expected = "a loss of at least " + b.LossMin
	case b.LossMax != "" && lost > float64(lossMax):
		expected = "a loss of at most " + b.LossMax
	case got == 0 && b.LossMin == "" && (b.AtMost == "" || most > 0):
		expected = "something to arrive"
	default:
		return nil
	}
	return fmt.Errorf("from %s to %s (%s %s port %d): expected %s, but %s", b.From, b.To, b.Address, b.Proto, b.port(), expected, b.outcome())
}

// outcome says in a sentence what has come, and why it is not more.
func (b *Bandwidth) outcome() string {
	rate := strconv.FormatFloat(b.Mbit, 'f', -1, 64) + "mbit"
	switch {
	case b.BlackHole:
		return fmt.Sprintf("a connection stands, and nothing gets through: segments of %d bytes are dropped without a word, those of %d are not; a link on the way has a smaller MTU, and its \"packet is too big\" does not come back", b.MSS, smallMSS)
	case b.Proto == "udp":
		out := fmt.Sprintf("%s arrive; %d of %d datagrams, %g%%, are lost", rate, b.Sent-b.Received, b.Sent, b.Loss)
		if rate, _ := rates.parse("", b.Rate); float64(b.Sent*b.size()) < 0.9*float64(rate)*b.duration().Seconds() {
			out += fmt.Sprintf("; %s was too busy to send more", b.From)
		}
		if b.Told != "" {
			out += fmt.Sprintf("; %s is told: %s", b.From, b.Told)
		}
		return out
	case b.Mbit == 0:
		return "a connection stands, and nothing gets through, small packets neither"
	}
	return fmt.Sprintf("%s arrive, with %d segments of %d bytes sent again", rate, b.Again, b.MSS)
}
