// Package policy is the project's rules as tests, each with its reason in its message: who may import whom, what
// the agent may weigh, what every package, file and page owes its reader. It has no code of its own, and nothing may
// import it.
package policy
