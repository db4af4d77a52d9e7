package modules

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// pattern is a compiled regular expression: the part of RE2's syntax that people use to find a line, matched in time
// proportional to the line times the pattern. Package regexp would make the agent a tenth larger, and it is the only user.
//
// Understood: . [a-z] [^a-z] [[:space:]] \d \D \s \S \w \W \b \B ^ $ * + ? {n,m} and their lazy forms, | ( ) (?: ) and a
// leading (?i). Everything else after a backslash stands for itself when it is punctuation; \t \n \r \f are controls.
type pattern struct {
	prog []inst
}

type op uint8

const (
	opRune  op = iota // one rune that class accepts, then next
	opSplit           // x or y
	opBegin
	opEnd
	opWord   // word boundary
	opNoWord // not a word boundary
	opMatch
)

// inst is one instruction of a Pike machine. All but opSplit and opMatch go on with the following one.
type inst struct {
	op    op
	class func(rune) bool
	x, y  int // opSplit: where to go on
}

// maxProg bounds a program, so that nested repetitions cannot make one of any size.
const maxProg = 5000

func compilePattern(expr string) (*pattern, error) {
	p := &patternParser{rest: expr}
	if s, ok := strings.CutPrefix(expr, "(?i)"); ok {
		p.rest, p.fold = s, true
	}
	prog, err := p.alternation()
	if err == nil && p.rest != "" { // only a ) ends it early
		err = fmt.Errorf("unexpected )")
	}
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w", expr, err)
	}
	return &pattern{prog: append(prog, inst{op: opMatch})}, nil
}

// match reports whether the pattern occurs anywhere in s.
func (p *pattern) match(s string) bool {
	now, next := newThreads(len(p.prog)), newThreads(len(p.prog))
	prev := rune(-1)
	for i := 0; ; {
		r, n := rune(-1), 0
		if i < len(s) {
			r, n = utf8.DecodeRuneInString(s[i:])
		}
		if p.follow(now, 0, prev, r) { // a match may begin anywhere
			return true
		}
		if n == 0 {
			return false
		}
		next.clear()
		for _, pc := range now.list {
			if in := p.prog[pc]; in.op == opRune && in.class(r) && p.follow(next, pc+1, r, at(s, i+n)) {
				return true
			}
		}
		now, next = next, now
		prev, i = r, i+n
	}
}

func at(s string, i int) rune {
	if i >= len(s) {
		return -1
	}
	r, _ := utf8.DecodeRuneInString(s[i:])
	return r
}

// follow adds pc and what can be reached from it without a rune, between prev and next; -1 is the end of the text. It
// reports whether that includes the match.
func (p *pattern) follow(t *threads, pc int, prev, next rune) bool {
	if !t.add(pc) {
		return false
	}
	in := p.prog[pc]
	holds := false
	switch in.op {
	case opMatch:
		return true
	case opSplit:
		return p.follow(t, in.x, prev, next) || p.follow(t, in.y, prev, next)
	case opBegin:
		holds = prev == -1
	case opEnd:
		holds = next == -1
	case opWord:
		holds = isWord(prev) != isWord(next)
	case opNoWord:
		holds = isWord(prev) == isWord(next)
	}
	return holds && p.follow(t, pc+1, prev, next)
}

// threads is a set of program counters that is emptied at no cost.
type threads struct {
	list []int
	pos  []int
}

func newThreads(n int) *threads { return &threads{pos: make([]int, n)} }

func (t *threads) clear() { t.list = t.list[:0] }

func (t *threads) add(pc int) bool {
	if i := t.pos[pc]; i < len(t.list) && t.list[i] == pc {
		return false
	}
	t.pos[pc] = len(t.list)
	t.list = append(t.list, pc)
	return true
}
