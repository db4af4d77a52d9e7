package view

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"labctl/runner"
)

// JUnit folds the events of a run into a report as CI systems read it: a suite for each play on each host, a case for each
// task. It holds to both schemas that are in use, that of Ant's tasks (windyroad/JUnit-Schema) and that of Jenkins'
// xunit-plugin (junit-10.xsd), so it has what the one demands and nothing that the other lacks.
type JUnit struct {
	run    runner.Run
	play   int
	suites []*suite
	at     map[string]*suite // by play and host
}

// suite and what is in it are the elements of the report. The order of fields is that of Ant's schema.
type suite struct {
	Name      string     `xml:"name,attr"`
	ID        int        `xml:"id,attr"`
	Package   string     `xml:"package,attr"`
	Hostname  string     `xml:"hostname,attr"`
	Timestamp string     `xml:"timestamp,attr"`
	Tests     int        `xml:"tests,attr"`
	Failures  int        `xml:"failures,attr"`
	Errors    int        `xml:"errors,attr"`
	Skipped   int        `xml:"skipped,attr"`
	Time      xmlSeconds `xml:"time,attr"`

	Properties []property `xml:"properties>property"`
	Cases      []testcase `xml:"testcase"`
	Out        string     `xml:"system-out"`
	Err        string     `xml:"system-err"`

	class string
}

type property struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type testcase struct {
	Name    string     `xml:"name,attr"`
	Class   string     `xml:"classname,attr"`
	Time    xmlSeconds `xml:"time,attr"`
	Skipped *verdict   `xml:"skipped"`
	Error   *verdict   `xml:"error"`
	Failure *verdict   `xml:"failure"`
}

type verdict struct {
	Type    string `xml:"type,attr,omitempty"`
	Message string `xml:"message,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// xmlSeconds is a duration in seconds, as xs:decimal.
type xmlSeconds time.Duration

func (s xmlSeconds) MarshalXMLAttr(name xml.Name) (xml.Attr, error) {
	return xml.Attr{Name: name, Value: fmt.Sprintf("%.3f", time.Duration(s).Seconds())}, nil
}

// Event takes in e.
func (j *JUnit) Event(e runner.Event) {
	e = redact(e)
	switch e.Kind {
	case runner.RunStarted:
		if e.Run != nil {
			j.run = *e.Run
		}
	case runner.PlayStarted:
		j.play++
	case runner.TaskDone:
		if e.Task != nil {
			j.task(e)
		}
	case runner.Unreachable:
		s := j.suite(e)
		s.add(testcase{Name: "reach " + e.Host, Error: failing(e.Error)})
	case runner.RunDone:
		j.done(e)
	}
}

func (j *JUnit) task(e runner.Event) {
	c := testcase{Name: taskName(*e.Task), Time: xmlSeconds(e.Duration)}
	switch {
	case e.Status == runner.Skipped:
		c.Skipped = &verdict{Message: e.Message}
	case e.Status == runner.UnknownYet:
		c.Skipped = &verdict{Message: cmp.Or(e.Message, "known after apply")}
	case e.Status == runner.NotRun:
		c.Skipped = &verdict{Message: "not run"}
	case e.Status == runner.Failed && e.Ignored:
		c.Skipped = &verdict{Message: "failed, which is ignored: " + errorText(e.Error)}
	case e.Status == runner.Failed && e.Rescued:
		c.Skipped = &verdict{Message: "failed, which is rescued: " + errorText(e.Error)}
	case e.Status == runner.Failed:
		c.Failure = failing(e.Error)
		if e.Task.File != "" {
			c.Failure.Text += fmt.Sprintf("\non %s line %d, in %s", e.Task.File, e.Task.Line, e.Task.Address)
		}
	}
	j.suite(e).add(c)
}

// done reports what no task of a host can: that the run was ended, or could not go on.
func (j *JUnit) done(e runner.Event) {
	switch {
	case e.Error != nil:
		j.suite(e).add(testcase{Name: "evaluate", Error: failing(e.Error)})
	case e.Interrupted:
		j.suite(e).add(testcase{Name: "run to the end", Error: &verdict{Type: "interrupted", Message: "the run was interrupted"}})
	case len(j.suites) == 0:
		j.suite(e)
	}
}

// Unfinished is the report of a run that has not come to its end, for a labctl that is killed under way.
func (j *JUnit) Unfinished(now time.Time) {
	s := j.suite(runner.Event{Time: now})
	s.add(testcase{Name: "run to the end", Error: &verdict{Type: "unfinished", Message: "the run has not come to its end: the output of labctl says why"}})
}

// suite is that of e's host in the present play; of no host, that of the run.
func (j *JUnit) suite(e runner.Event) *suite {
	key := fmt.Sprint(j.play, " ", e.Host)
	if s := j.at[key]; s != nil {
		return s
	}
	name, class := e.Play+" / "+e.Host, undotted(e.Play)+"."+undotted(e.Host)
	if e.Host == "" {
		name, class = "labctl", "labctl"
	}
	s := &suite{
		Name: name, ID: len(j.suites), Package: cmp.Or(e.Play, "labctl"), Hostname: cmp.Or(e.Host, "localhost"), class: class,
		Timestamp: e.Time.UTC().Format("2006-01-02T15:04:05"), Properties: j.properties(),
	}
	if j.at == nil {
		j.at = map[string]*suite{}
	}
	j.at[key] = s
	j.suites = append(j.suites, s)
	return s
}

func (j *JUnit) properties() []property {
	out := []property{{"mode", string(j.run.Mode)}, {"site", j.run.Site}}
	if j.run.Sandbox != "" {
		out = append(out, property{"sandbox", j.run.Sandbox})
	}
	return out
}

// undotted keeps Jenkins from taking what is before a dot for a package.
func undotted(s string) string { return strings.ReplaceAll(cmp.Or(s, "play"), ".", "_") }

func (s *suite) add(c testcase) {
	c.Class = s.class
	s.Tests++
	s.Time += c.Time
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}

func failing(err *runner.Error) *verdict {
	v := &verdict{Type: "failed", Message: errorText(err)}
	if err != nil {
		v.Type, v.Text = cmp.Or(err.Kind, v.Type), clean(strings.TrimSpace(err.Message+"\n"+err.Source))
	}
	return v
}

// Write writes the report.
func (j *JUnit) Write(w io.Writer) error {
	root := struct {
		XMLName xml.Name `xml:"testsuites"`
		Suites  []*suite `xml:"testsuite"`
	}{Suites: j.suites}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(root); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
