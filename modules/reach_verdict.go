package modules

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// seenNear counts what the near end has seen on the wire. A connection is marked by the kernel: which marks are ours shows in
// what was sent to the far host's port.
func (r *Reach) seenNear(all []sighting, mark uint64) {
	marks := map[uint64]bool{mark: r.Proto != "tcp"}
	dst, literal := netip.ParseAddr(r.Address)
	for _, s := range all {
		if r.Proto == "tcp" && s.out && s.what == "request" && s.port == *r.Port && (literal != nil || s.dst == dst.WithZone("").Unmap().String()) {
			marks[s.mark] = true
		}
	}
	for m, ours := range marks {
		if ours {
			r.Marks = append(r.Marks, strconv.FormatUint(m, 16))
		}
	}
	t := r.tally(all)
	r.Left, r.Returned, r.LeftAs = t.count("request", true), t.count("answer", false), t.last.src
	for _, s := range t.list {
		switch {
		case s.what == "error" && !s.out:
			r.Told = s.text
		case s.what == "reset" && !s.out:
			r.Reset = s.src
		}
	}
}

// seenFar counts what the far end has seen of the marked requests.
func (r *Reach) seenFar(all []sighting) {
	t := r.tally(all)
	r.Arrived, r.Answered = t.count("request", false), t.count("answer", true)
	for _, s := range t.list {
		switch {
		case s.what == "request" && !s.out:
			r.ArrivedFrom, r.ArrivedAt = s.src, s.dst
			if s.port != 0 {
				r.ArrivedAt = joinPort(s.dst, s.port)
			}
		case s.what == "error" && !s.out:
			r.ToldBack = s.text
		case (s.what == "reset" || s.what == "error" && rejection(s.text)) && s.out && r.Arrived > 0:
			r.FarReset = true
		}
	}
}

func joinPort(address string, port int) string {
	if strings.Contains(address, ":") {
		address = "[" + address + "]"
	}
	return address + ":" + strconv.Itoa(port)
}

// tally is what of all that was seen bears our marks. A bridge shows a frame at its port, too, and TCP sends again: each
// request counts once.
type tally struct {
	list []sighting
	last sighting // request
}

func (r *Reach) tally(all []sighting) tally {
	t, ours := tally{}, map[uint64]bool{}
	for _, m := range r.Marks {
		v, _ := strconv.ParseUint(m, 16, 64) // it was written here
		ours[v] = true
	}
	for _, s := range all {
		if ours[s.mark] || s.what == "error" && s.mark == 0 && s.dst == r.Address {
			t.list = append(t.list, s)
			if s.what == "request" && s.out {
				t.last = s
			}
		}
	}
	return t
}

func (t tally) count(what string, out bool) int {
	type request struct {
		mark uint64
		seq  uint16
	}
	seen := map[request]bool{}
	for _, s := range t.list {
		if s.what == what && s.out == out {
			seen[request{s.mark, s.seq}] = true
		}
	}
	return len(seen)
}

// verdict compares what both ends have seen with what is expected.
func (r *Reach) verdict() error {
	seen, why := r.outcome()
	r.Seen = seen
	if r.ArrivedFrom != "" && r.LeftAs != "" && r.ArrivedFrom != r.LeftAs {
		why += fmt.Sprintf("; they arrived with source %s, not %s: translated on the way", r.ArrivedFrom, r.LeftAs)
	}
	if r.Served {
		why += fmt.Sprintf("; a service has port %d there, and was used", *r.Port)
	}
	switch {
	case !r.expected(seen):
		return fmt.Errorf("from %s to %s (%s): expected %s, but %s", r.From, r.To, r.way(), r.Expect, why)
	case r.SeenAs != "" && r.ArrivedFrom == "":
		return fmt.Errorf("from %s to %s (%s): expected them to arrive with source %s, but %s", r.From, r.To, r.way(), r.SeenAs, why)
	case r.SeenAs != "" && r.ArrivedFrom != r.SeenAs:
		return fmt.Errorf("from %s to %s (%s): expected them to arrive with source %s, but it is %s", r.From, r.To, r.way(), r.SeenAs, r.ArrivedFrom)
	}
	return nil
}

func (r *Reach) expected(seen string) bool {
	switch r.Expect {
	case "blocked":
		return seen == "blocked_there" || seen == "blocked_back"
	case "fail":
		return seen != "reachable" && seen != "partial"
	}
	return seen == r.Expect
}

func (r *Reach) way() string {
	out := r.Address + " " + r.Proto
	if r.Port != nil {
		out += " port " + strconv.Itoa(*r.Port)
	}
	return out
}

// outcome is what became of the requests, in the words of expect, and in a sentence.
func (r *Reach) outcome() (seen, why string) {
	got := fmt.Sprintf("%s received %d of %d requests", r.To, r.Arrived, r.Sent)
	switch {
	case r.complete() && (r.Received == r.Sent || r.Arrived == r.Sent):
		return "reachable", "every request is answered"
	case r.Received > 0:
		return "partial", fmt.Sprintf("%s and sent %d answers, of which %d came back", got, r.Answered, r.Received) + r.because()
	case r.FarReset && (r.Service || r.Proto == "icmp"):
		return "refused", "refused by " + r.To + ": nobody listens there, or its firewall rejects it"
	case r.FarReset:
		return "refused", "refused by " + r.To + ", which listens: its firewall rejects it, or what has the port is not open on this address"
	case strings.HasPrefix(r.Told, "packet is too big"):
		return "too_big", r.Told
	case r.Told != "" && !rejection(r.Told):
		return "unreachable", fmt.Sprintf("%s is told: %s", r.From, r.Told)
	case r.Arrived == 0:
		return "blocked_there", r.lost()
	case r.Served && r.Proto == "udp":
		return "partial", got
	case r.Answered == 0:
		return "blocked_back", got + ", but no answer left it: its firewall, its reverse path filter, or no route back" + r.because()
	case r.Returned == 0:
		return "blocked_back", got + ", but no answer came back: return path" + r.because()
	}
	return "blocked_back", got + ", and its answers came back, but did not get through the firewall of " + r.From
}

// lost says where requests ended that did not arrive.
func (r *Reach) lost() string {
	switch {
	case r.Left == 0 && r.LocalNote != "":
		return fmt.Sprintf("nothing left %s: sending was %s", r.From, r.LocalNote)
	case r.Left == 0:
		return fmt.Sprintf("nothing left %s: its firewall, or the next hop does not answer ARP", r.From) + r.because()
	}
	return fmt.Sprintf("nothing arrived at %s of %d requests that left %s", r.To, r.Left, r.From) + r.because()
}

// because says who has said something about it.
func (r *Reach) because() string {
	out := ""
	if r.Told != "" {
		out = fmt.Sprintf("; %s is told: %s", r.From, r.Told)
	}
	if r.Reset != "" {
		out += fmt.Sprintf("; reset on the way, in the name of %s", r.Reset)
	}
	if r.ToldBack != "" {
		out += fmt.Sprintf("; %s is told: %s", r.To, r.ToldBack)
	}
	return out
}

// rejection reports whether a firewall speaks so of what it does not let pass: as REJECT does by default.
func rejection(text string) bool {
	return strings.HasPrefix(text, "port unreachable") || strings.HasPrefix(text, "administratively prohibited")
}
