package modules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// OVSQoS is what a port does with what it sends: a row of table QoS (ovs-vswitchd.conf.db(5)), which is the port's own.
type OVSQoS struct {
	Type        string            `json:"type,omitempty" doc:"linux-htb, linux-hfsc, linux-sfq, linux-codel, linux-fq_codel, linux-netem, egress-policer, or another that it knows; linux-noop leaves the device to others, such as the module qdisc, which it does not do else. Unset: none."`
	OtherConfig map[string]string `json:"other_config,omitempty" doc:"Settings of the type, all of them, such as max-rate in bit/s for linux-htb."`
	Queues      []OVSQueue        `json:"queue,omitempty" doc:"Its queues, all of them. What no flow sends elsewhere (set_queue, enqueue) goes to queue 0."`
}

// OVSQueue is a queue of a port.
type OVSQueue struct {
	ID          int               `json:"id" doc:"Number of the queue."`
	DSCP        *int              `json:"dscp,omitempty" doc:"Codepoint that its packets get, 0 to 63."`
	OtherConfig map[string]string `json:"other_config,omitempty" doc:"Settings such as min-rate, max-rate, burst and priority for linux-htb."`
}

// validate fills in what is not given: a QoS is known as a whole.
func (q *OVSQoS) validate() error {
	if q == nil {
		return nil
	}
	if q.Type == "" && (q.OtherConfig != nil || q.Queues != nil) {
		return argf("qos.type", "required argument is missing: without a type there is nothing to set")
	}
	q.fill()
	slices.SortFunc(q.Queues, func(a, b OVSQueue) int { return a.ID - b.ID })
	err := ovsKeys("qos.other_config", q.OtherConfig)
	for i, u := range q.Queues {
		path := fmt.Sprintf("qos.queue[%d].", i)
		if i > 0 && q.Queues[i-1].ID == u.ID {
			return argf(path+"id", "%d is there twice", u.ID)
		}
		err = firstFault(err, inRange(path+"id", &u.ID, 0, 61439), inRange(path+"dscp", u.DSCP, 0, 63), ovsKeys(path+"other_config", u.OtherConfig)) // HTB_N_QUEUES
	}
	return err
}

func (q *OVSQoS) fill() {
	if q.OtherConfig == nil {
		q.OtherConfig = map[string]string{}
	}
	if q.Queues == nil {
		q.Queues = []OVSQueue{}
	}
	for i := range q.Queues {
		if q.Queues[i].OtherConfig == nil {
			q.Queues[i].OtherConfig = map[string]string{}
		}
	}
}

// pairs writes it as the column qos of host.OVSTables.
func (q OVSQoS) pairs() []string {
	if q.Type == "" {
		return nil
	}
	out := []string{"type=" + q.Type}
	add := func(before string, m map[string]string) {
		for k, v := range m {
			out = append(out, before+"other_config."+k+"="+v)
		}
	}
	add("", q.OtherConfig)
	for _, u := range q.Queues {
		at := "queue." + strconv.Itoa(u.ID)
		if out = append(out, at+"="); u.DSCP != nil {
			out = append(out, at+".dscp="+strconv.Itoa(*u.DSCP))
		}
		add(at+".", u.OtherConfig)
	}
	slices.Sort(out)
	return out
}

// parseQoS is the inverse of pairs.
func parseQoS(pairs []string) OVSQoS {
	q := OVSQoS{}
	queues := map[int]*OVSQueue{}
	for _, pair := range pairs {
		k, v, _ := strings.Cut(pair, "=")
		m := &q.OtherConfig
		if rest, ok := strings.CutPrefix(k, "queue."); ok {
			var number string
			number, k, _ = strings.Cut(rest, ".")
			id, _ := strconv.Atoi(number)
			if queues[id] == nil {
				queues[id] = &OVSQueue{ID: id}
			}
			m = &queues[id].OtherConfig
			if n, err := strconv.Atoi(v); k == "dscp" && err == nil {
				queues[id].DSCP = &n
			}
		}
		if k == "type" {
			q.Type = v
		}
		if name, ok := strings.CutPrefix(k, "other_config."); ok {
			if *m == nil {
				*m = map[string]string{}
			}
			(*m)[name] = v
		}
	}
	for _, u := range queues {
		q.Queues = append(q.Queues, *u)
	}
	slices.SortFunc(q.Queues, func(a, b OVSQueue) int { return a.ID - b.ID })
	q.fill()
	return q
}
