package modules

func init() {
	registerDevice("bridge", Spec[Bridge]{
		Name: "bridge",
		Doc:  "Manages a Linux bridge and the set of its ports.",
		Example: `bridge "myBridge" {
  ports     = ["enp0s8", "enp0s9"]
  stp_state = false
}`,
		Validate: (*Bridge).validate,
	})
}

// Bridge is a Linux bridge.
type Bridge struct {
	virtual
	ports
	STP               *bool    `json:"stp_state,omitempty" doc:"Spanning tree protocol; left alone if unset."`
	ForwardDelay      *float64 `json:"forward_delay,omitempty" doc:"Forwarding delay in seconds, 2 to 30 while stp_state is true."`
	HelloTime         *float64 `json:"hello_time,omitempty" doc:"Time between hello packets in seconds, 1 to 10."`
	MaxAge            *float64 `json:"max_age,omitempty" doc:"Age in seconds at which spanning tree information is dropped, 6 to 40."`
	AgeingTime        *float64 `json:"ageing_time,omitempty" doc:"Seconds until a learned address is forgotten."`
	Priority          *int     `json:"priority,omitempty" doc:"Spanning tree priority, 0 to 65535."`
	VLANFiltering     *bool    `json:"vlan_filtering,omitempty" doc:"Whether VLAN tags decide where frames go."`
	MulticastSnooping *bool    `json:"mcast_snooping,omitempty" doc:"IGMP and MLD snooping."`
}

func (b *Bridge) validate() error {
	return firstFault(b.virtual.validate(), b.ports.validate(b.Name), inRange("priority", b.Priority, 0, 65535),
		seconds("forward_delay", b.ForwardDelay, 0, 30), seconds("hello_time", b.HelloTime, 1, 10), seconds("max_age", b.MaxAge, 6, 40),
		seconds("ageing_time", b.AgeingTime, 0, 1e6))
}

// seconds checks a time and rounds it to the hundredths that the kernel keeps.
func seconds(path string, v *float64, low, high float64) error {
	if v == nil {
		return nil
	}
	if *v < low || *v > high {
		return argf(path, "%g is not between %g and %g seconds", *v, low, high)
	}
	*v = float64(int(*v*100+0.5)) / 100
	return nil
}
