package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

var okAnswer = []byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Type: text/plain\r\n\r\nok\n")

// app executes requests and closes connections that are idle, as its settings say.
type app struct {
	s          settings
	executed   []atomic.Uint32 // by id: how often
	aborted    tally
	idleCloses atomic.Int64
	accepted   atomic.Int64
}

func newApp(s settings) *app {
	return &app{s: s, executed: make([]atomic.Uint32, s.count)}
}

func (a *app) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		a.accepted.Add(1)
		go a.connection(c.(*net.TCPConn))
	}
}

func (a *app) idleTime() time.Duration {
	if a.s.random {
		return time.Duration(rand.Int64N(int64(a.s.after) + 1))
	}
	return a.s.after
}

// connection answers until it has been idle for too long. The close is a plain
// one: the kernel sends FIN, or RST when a request came in the same moment.
func (a *app) connection(c *net.TCPConn) {
	defer c.Close()
	in := bufio.NewReaderSize(c, 4096)
	for first := true; ; first = false {
		if !first {
			c.SetReadDeadline(time.Now().Add(a.idleTime()))
		}
		if _, err := in.Peek(1); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				a.idleCloses.Add(1)
			}
			return
		}
		c.SetReadDeadline(time.Time{})
		method, id, err := readRequest(in)
		if err != nil {
			return
		}
		if id >= 0 && id < len(a.executed) {
			a.executed[id].Add(1)
			if a.s.abort > 0 && rand.Float64() < a.s.abort {
				a.aborted.add(method)
				c.SetLinger(0)
				return
			}
		}
		if _, err := c.Write(okAnswer); err != nil {
			return
		}
	}
}

// readRequest reads one request to the end of its body. The id is the last
// part of the target, -1 when that is no number.
func readRequest(in *bufio.Reader) (method string, id int, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return "", 0, err
	}
	words := bytes.Fields(line)
	if len(words) != 3 {
		return "", 0, errors.New("no request line")
	}
	method = string(words[0])
	target := words[1]
	if id, err = strconv.Atoi(string(target[bytes.LastIndexByte(target, '/')+1:])); err != nil {
		id = -1
	}
	length := int64(0)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return "", 0, err
		}
		if len(line) <= 2 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("content-length")) {
			if length, err = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64); err != nil {
				return "", 0, err
			}
		}
	}
	_, err = io.CopyN(io.Discard, in, length)
	return method, id, err
}
