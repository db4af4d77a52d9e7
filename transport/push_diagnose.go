package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// silentError says that a command has not said in time what it should.
type silentError struct{ after time.Duration }

func (e *silentError) Error() string { return fmt.Sprintf("no answer within %s", e.after) }

// obedience is what a server makes of a command.
type obedience int

const (
	unclear    obedience = iota
	obeys                // it runs the command by the login shell
	disobeys             // it runs another: sshd tells no client of a forced command
	servesSFTP           // it runs an SFTP server in its place
)

// diagnosisTime bounds the question, which comes on top of a failure.
const diagnosisTime = 5 * time.Second

// The question has an answer that the command line does not hold, since a forced command may repeat that. For an SFTP
// server it is SSH_FXP_INIT, version 3, which it answers by SSH_FXP_VERSION (draft-ietf-secsh-filexfer-02, section 4).
const (
	diagnosisCommand = "exec sh -c 'echo labctl-runs-$((6*7))'"
	diagnosisAnswer  = "labctl-runs-42"
	sftpInit         = "\x00\x00\x00\x05\x01\x00\x00\x00\x03"
	sftpVersion      = "\x02\x00\x00\x00\x03"
	sftpOnly         = "This service allows sftp connections only." // sshd itself, of internal-sftp (session.c)
)

// diagnose asks what the server makes of commands, and returns the beginning of what was said in answer.
func diagnose(ctx context.Context, conn Conn, patience time.Duration) (obedience, string) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p, err := conn.Start(ctx, diagnosisCommand)
	if err != nil {
		return unclear, ""
	}
	defer p.Close()
	if _, err := io.WriteString(p.Stdin, sftpInit); err != nil {
		return unclear, ""
	}
	defer time.AfterFunc(time.Second, func() { _ = p.Stdin.Close() }).Stop() // sftp-server drops its answer at the end of its input
	said, err := io.ReadAll(io.LimitReader(p.Stdout, noiseLimit))
	switch {
	case bytes.Contains(said, []byte(diagnosisAnswer)):
		return obeys, ""
	case bytes.Contains(said, []byte(sftpVersion)), bytes.Contains(said, []byte(sftpOnly)):
		return servesSFTP, ""
	case err != nil && ctx.Err() == nil:
		return unclear, ""
	}
	said = bytes.ReplaceAll(said, []byte(sftpInit), nil) // from who gives back what it reads
	return disobeys, excerpt(append(said, p.Stderr()...))
}

// diagnosis is what to do about a command that neither became the agent nor said why.
func (s *agentStart) diagnosis(e *AgentError) string {
	how, said := diagnose(s.ctx, s.conn, min(s.limit(), diagnosisTime))
	silent := errors.As(e.Err, new(*silentError))
	switch {
	case how == servesSFTP:
		return "the server has an SFTP server run in place of commands, by ForceCommand internal-sftp in its sshd_config or command= in authorized_keys: labctl has to run commands as this user"
	case how == disobeys:
		return "the server runs another command in place of labctl's" + itSaid(said, e) +
			": see command= in authorized_keys, ForceCommand in its sshd_config, and the login shell of the user"
	case how == obeys && silent:
		return "does a start-up file of the login shell read all of standard input, or wait for something?"
	}
	return ""
}

// itSaid quotes what the message does not have yet.
func itSaid(said string, e *AgentError) string {
	if said == "" || said == e.Stdout || said == e.Stderr || strings.Contains(said, diagnosisCommand) {
		return ""
	}
	return fmt.Sprintf(", which says %q", said)
}
