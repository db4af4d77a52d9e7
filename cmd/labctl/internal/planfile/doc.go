// Package planfile keeps a plan in a file, so that it can be looked at, approved, and played later as it is: what was foreseen
// for each host, sealed with a key that lies elsewhere. It tells whether a plan made anew is still the same, and which calls of
// a play are in it. It knows events, not how a run is made, and prints nothing.
package planfile
