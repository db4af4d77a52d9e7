package host

import "context"

// NoticeID says which handler a Notice is about. Names alone: what a handler does is in the playbook.
type NoticeID struct {
	Site    string `json:"site"`
	Play    string `json:"play"`
	Host    string `json:"host"`           // as the inventory calls it: one machine may be several
	Role    string `json:"role,omitempty"` // which use of which role, and in which; "": of the play
	Handler string `json:"handler"`
}

// Notice is a handler that was notified on a host, and has not run.
type Notice struct {
	NoticeID
	Since  int64  `json:"since,omitempty"`  // seconds since 1970; 0: now
	Failed string `json:"failed,omitempty"` // the task at which the play has failed since, where that could be told
}

// Notices outlive the session, and the boot.
type Notices interface {
	List(ctx context.Context) ([]Notice, error)
	// Keep writes a notice down, in place of one of the same ID.
	Keep(ctx context.Context, n Notice) error
	// Drop forgets a notice. There need not be one.
	Drop(ctx context.Context, id NoticeID) error
}

// Noticer is implemented by hosts that can keep notices.
type Noticer interface{ Notices() Notices }
