package modules

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"labctl/modules/host"
)

func init() {
	Register(Spec[Cron]{
		Name: "cron",
		Doc:  "Keeps a job of cron(8): in a user's crontab or in a file of /etc/cron.d. A comment with the name of the task stands before the line; all other lines stay as they are.",
		Example: `cron "back up" {
  minute = "30"
  hour   = "3"
  job    = "/usr/local/bin/backup --all"
}
cron "rotate" {
  special_time = "daily"
  job          = "/usr/sbin/logrotate /etc/logrotate.conf"
  cron_file    = "lab"
}
`,
		Validate: (*Cron).validate, Complete: (*Cron).complete, Read: readCron, ReadAbsent: noneUnsupported(readCron), Apply: applyCron,
	})
}

// Cron is one job (crontab(5)).
type Cron struct {
	Name        string  `json:"name" lab:"key" doc:"What the job is called in the comment before it."`
	Minute      *string `json:"minute,omitempty" default:"*" doc:"0 to 59, a list, a range or a step."`
	Hour        *string `json:"hour,omitempty" default:"*" doc:"0 to 23, likewise."`
	Day         *string `json:"day,omitempty" default:"*" doc:"Day of the month, 1 to 31, likewise."`
	Month       *string `json:"month,omitempty" default:"*" doc:"1 to 12 or a name such as jan, likewise."`
	Weekday     *string `json:"weekday,omitempty" default:"*" doc:"0 to 7, where 0 and 7 are Sunday, or a name such as mon, likewise."`
	SpecialTime string  `json:"special_time,omitempty" lab:"exact" enum:"reboot,hourly,daily,weekly,monthly,yearly,annually,midnight" doc:"In place of the five."`
	Job         string  `json:"job,omitempty" lab:"required" doc:"Command line for /bin/sh. cron(8) makes a line end of a % that has no backslash before it."`
	User        string  `json:"user,omitempty" default:"root" doc:"User that it runs as."`
	CronFile    string  `json:"cron_file,omitempty" lab:"option" doc:"Name of a file in /etc/cron.d, or an absolute path of one of its kind; unset: the crontab of the user."`
	Disabled    bool    `json:"disabled,omitempty" lab:"exact" doc:"Keep the line as a comment."`
}

// cronMark stands before a job's name in the comment above its line.
const cronMark = "# labctl: "

// fields returns where the five fields are, in their order.
func (c *Cron) fields() []**string {
	return []**string{&c.Minute, &c.Hour, &c.Day, &c.Month, &c.Weekday}
}

// cronFields are the bounds of the five and the names that stand for numbers.
var cronFields = []struct {
	name      string
	low, high int
	names     string
}{
	{"minute", 0, 59, ""}, {"hour", 0, 23, ""}, {"day", 1, 31, ""},
	{"month", 1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"}, {"weekday", 0, 7, "sun mon tue wed thu fri sat"},
}

func (c *Cron) validate() error {
	if c.User == "" {
		c.User = "root"
	}
	if err := firstFault(oneLine("name", c.Name), oneLine("job", c.Job), validAccount("user", c.User), c.validateFile()); err != nil {
		return err
	}
	for i, f := range c.fields() {
		switch {
		case *f == nil && c.SpecialTime == "":
			*f = ptr("*")
		case *f != nil && c.SpecialTime != "":
			return argf("special_time", "cannot be together with %s", cronFields[i].name)
		case *f != nil:
			if err := validCronField(i, **f); err != nil {
				return err
			}
		}
	}
	return nil
}

// validateFile minds that cron(8) skips files of /etc/cron.d with other letters in their names (run-parts(8)).
func (c *Cron) validateFile() error {
	other := func(r rune) bool { return r != '_' && notInHostname(r) }
	switch {
	case strings.HasPrefix(c.CronFile, "/"):
		return absolute("cron_file", c.CronFile)
	case strings.IndexFunc(c.CronFile, other) >= 0:
		return argf("cron_file", "cron skips %q: a name is of letters, digits, underscores and hyphens", c.CronFile)
	}
	return nil
}

func (c *Cron) complete() error {
	if strings.TrimSpace(c.Job) != c.Job || c.Job == "" {
		return argf("job", "%q begins or ends with a blank", c.Job)
	}
	return nil
}

// validCronField checks field i: numbers, names, ranges and steps, in a list.
func validCronField(i int, text string) error {
	f := cronFields[i]
	for part := range strings.SplitSeq(text, ",") {
		span, step, stepped := strings.Cut(part, "/")
		low, high, ranged := strings.Cut(span, "-")
		ok := span == "*" || cronNumber(f.names, f.low, f.high, low) && (!ranged || cronNumber(f.names, f.low, f.high, high))
		if !ok || stepped && !cronNumber("", 1, 59, step) {
			return argf(f.name, "%q is not of %d to %d, as 5, 1-3, */10 or 1,15", text, f.low, f.high)
		}
	}
	return nil
}

func cronNumber(names string, low, high int, s string) bool {
	if slices.Contains(strings.Fields(names), strings.ToLower(s)) {
		return true
	}
	n := 0
	for _, r := range s {
		if r < '0' || r > '9' || n > high {
			return false
		}
		n = n*10 + int(r-'0')
	}
	return s != "" && n >= low && n <= high
}

// crontabs are where the crontabs of users may be: Debian, Alpine, Fedora and SUSE.
var crontabs = []string{"/var/spool/cron/crontabs", "/etc/crontabs", "/var/spool/cron/tabs", "/var/spool/cron"}

// path returns the file that the job is in, and the permissions of one that is made.
func (c *Cron) path(ctx context.Context, h host.Host) (string, host.FileAttrs, error) {
	switch {
	case strings.HasPrefix(c.CronFile, "/"):
		return c.CronFile, host.FileAttrs{}, nil
	case c.CronFile != "":
		return "/etc/cron.d/" + c.CronFile, host.FileAttrs{}, nil
	}
	for _, dir := range crontabs {
		st, err := stat(ctx, h, dir, false)
		if err != nil {
			return "", host.FileAttrs{}, err
		}
		if st != nil && st.Type == host.Directory {
			return dir + "/" + c.User, host.FileAttrs{Mode: mode(0o600).Mode, Owner: c.User, Group: st.Group}, nil
		}
	}
	return "", host.FileAttrs{}, &host.Error{Op: "find the crontab of", Object: c.User, Kind: host.ErrUnsupported,
		Err: fmt.Errorf("none of %s is there: install cron", strings.Join(crontabs, ", "))}
}

// line returns the job as crontab(5) has it: in a file of /etc/cron.d with the user.
func (c *Cron) line() string {
	var words []string
	if c.SpecialTime != "" {
		words = append(words, "@"+c.SpecialTime)
	}
	for _, f := range c.fields() {
		if *f != nil {
			words = append(words, **f)
		}
	}
	if c.CronFile != "" {
		words = append(words, c.User)
	}
	line := strings.Join(append(words, c.Job), " ")
	if c.Disabled {
		line = "#" + line
	}
	return line
}

// parse reads a line that this module has written, into c.
func (c *Cron) parse(line string) bool {
	line, c.Disabled = strings.CutPrefix(line, "#")
	rest := strings.TrimSpace(line)
	next := func() *string {
		word := rest
		if i := strings.IndexAny(rest, " \t"); i >= 0 {
			word, rest = rest[:i], strings.TrimLeft(rest[i:], " \t")
		} else {
			rest = ""
		}
		return &word
	}
	if strings.HasPrefix(rest, "@") {
		c.SpecialTime = (*next())[1:]
	} else {
		for _, f := range c.fields() {
			*f = next()
		}
	}
	if c.CronFile != "" {
		c.User = *next()
	}
	c.Job = rest
	return rest != ""
}

func readCron(ctx context.Context, h host.Host, want *Cron) (*Cron, error) {
	path, _, err := want.path(ctx, h)
	if err != nil {
		return nil, err
	}
	lines, err := fileLines(ctx, h, path)
	i := slices.Index(lines, cronMark+want.Name)
	if i < 0 || i+1 >= len(lines) || err != nil {
		return nil, err
	}
	have := &Cron{Name: want.Name, CronFile: want.CronFile, User: want.User}
	if !have.parse(lines[i+1]) {
		have.Job = lines[i+1] // edited by someone: it differs
	}
	return have, nil
}

func applyCron(ctx context.Context, h host.Host, have, want *Cron, _ Diff) error {
	c := want
	if want == nil {
		c = have
	}
	path, attrs, err := c.path(ctx, h)
	if err != nil {
		return err
	}
	lines, err := fileLines(ctx, h, path)
	if err != nil {
		return err
	}
	var job []string
	if want != nil {
		job = []string{cronMark + c.Name, c.line()}
	}
	if i := slices.Index(lines, cronMark+c.Name); i >= 0 {
		lines = slices.Replace(lines, i, min(i+2, len(lines)), job...)
	} else {
		lines = append(lines, job...)
	}
	if len(lines) == 0 {
		return removePath(ctx, h, path, false)
	}
	if st, err := stat(ctx, h, path, false); err != nil || st != nil {
		attrs = host.FileAttrs{}
	}
	return putLines(ctx, h, path, lines, attrs)
}
