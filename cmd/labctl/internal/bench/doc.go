// Package bench measures labctl beside the tools that do its work today, on the same machines in the same run: "make
// bench". The machines are a sandbox; the wire to them can be made as long as the real one, see [Wire].
//
// What is measured is measured from outside: the package starts programs and looks at the clock, and may not know how
// labctl is made.
package bench
