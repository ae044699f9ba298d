package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const answerTimeout = 20 * time.Second

// crowd is all callers together, with what became of their requests.
type crowd struct {
	s        settings
	app      *app
	next     atomic.Int64
	deadline time.Time
	pulses   *metronome

	isPost []bool // by id; each is written by the one caller that took it

	requests, answered tally

	lock     sync.Mutex
	failures []failure
}

// failure is one request that got no 200, and why. Whether the app executed it
// is asked at the end, since it may do so after the caller was told.
type failure struct {
	method, cause string
	id            int
}

func newCrowd(s settings, a *app) *crowd {
	c := &crowd{s: s, app: a, isPost: make([]bool, s.count), deadline: time.Now().Add(s.limit)}
	if s.pulse {
		c.pulses = newMetronome(s.after)
	}
	return c
}

// call sends GET and POST in turns until all requests are numbered. The proxy's
// connection stays; a new one is made after a failure.
func (w *crowd) call(seed uint64) {
	random := rand.New(rand.NewPCG(seed, 7))
	var c net.Conn
	var in *bufio.Reader
	defer func() {
		if c != nil {
			c.Close()
		}
	}()
	for time.Now().Before(w.deadline) {
		w.think(random)
		id := int(w.next.Add(1) - 1)
		if id >= w.s.count {
			return
		}
		method := [2]string{"GET", "POST"}[random.IntN(2)]
		w.isPost[id] = method == "POST"
		w.requests.add(method)
		if c == nil {
			var err error
			if c, err = net.Dial("tcp", w.s.proxy); err != nil {
				w.fail(method, id, "connect: "+nameOf(err))
				c = nil
				continue
			}
			in = bufio.NewReaderSize(c, 4096)
		}
		cause := exchange(c, in, method, id)
		if cause == "" {
			w.answered.add(method)
			continue
		}
		w.fail(method, id, cause)
		c.Close()
		c = nil
	}
}

func (w *crowd) think(random *rand.Rand) {
	if w.pulses != nil {
		w.pulses.wait()
		return
	}
	// idle times on both sides of what the app allows, so that closes and requests meet
	time.Sleep(time.Duration(random.Int64N(int64(w.s.after)*6/5 + 1)))
}

func (w *crowd) fail(method string, id int, cause string) {
	w.lock.Lock()
	w.failures = append(w.failures, failure{method, cause, id})
	w.lock.Unlock()
}

// exchange sends one request and reads its answer. It returns "" for a 200,
// else the name of what happened instead.
func exchange(c net.Conn, in *bufio.Reader, method string, id int) string {
	request := "GET /get/" + strconv.Itoa(id) + " HTTP/1.1\r\nHost: race.local\r\n\r\n"
	if method == "POST" {
		request = "POST /post/" + strconv.Itoa(id) + " HTTP/1.1\r\nHost: race.local\r\nContent-Length: 4\r\n\r\nbody"
	}
	c.SetDeadline(time.Now().Add(answerTimeout))
	if _, err := io.WriteString(c, request); err != nil {
		return "send: " + nameOf(err)
	}
	line, err := in.ReadString('\n')
	if err != nil {
		return "no answer: " + nameOf(err)
	}
	status, length, reason := strings.TrimSpace(line), int64(0), ""
	for {
		field, err := in.ReadSlice('\n')
		if err != nil {
			return "head cut: " + nameOf(err)
		}
		if len(field) <= 2 {
			break
		}
		name, value, _ := bytes.Cut(field, []byte(":"))
		switch strings.ToLower(string(name)) {
		case "content-length":
			length, _ = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
		case "proxy-status":
			reason = " (" + string(bytes.TrimSpace(value)) + ")"
		}
	}
	if _, err := io.CopyN(io.Discard, in, length); err != nil {
		return "body cut: " + nameOf(err)
	}
	if !strings.HasPrefix(status, "HTTP/1.1 200") {
		return status + reason
	}
	return ""
}

func nameOf(err error) string {
	var number syscall.Errno
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "closed"
	case errors.As(err, &number):
		return number.Error()
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "timed out"
	}
	return err.Error()
}

func (w *crowd) report(took time.Duration) report {
	r := report{
		Seconds: took.Seconds(), Requests: w.requests.read(), Answered: w.answered.read(),
		FailedLearning: map[string]int64{}, Failed: map[string]int64{}, Causes: map[string]int64{},
		Aborted:    w.app.aborted.read(),
		IdleCloses: w.app.idleCloses.Load(), Connections: w.app.accepted.Load(),
	}
	for _, f := range w.failures {
		if f.id < w.s.learn {
			r.FailedLearning[f.method]++
		} else {
			r.Failed[f.method]++
		}
		executed := w.app.executed[f.id].Load() > 0
		word := map[bool]string{true: "executed", false: "not executed"}[executed]
		r.Causes[fmt.Sprintf("%s, %s: %s", f.method, word, f.cause)]++
		if f.method == "POST" && executed {
			r.PostFailedRun++
		} else if f.method == "POST" {
			r.PostFailedNot++
		}
	}
	for id := range w.app.executed {
		if w.app.executed[id].Load() < 2 {
			continue
		}
		if w.isPost[id] {
			r.PostTwice++
		} else {
			r.GetTwice++
		}
	}
	return r
}

// metronome wakes all callers together, a little before or after the app's idle time.
type metronome struct{ beat atomic.Pointer[chan struct{}] }

func newMetronome(after time.Duration) *metronome {
	m := &metronome{}
	first := make(chan struct{})
	m.beat.Store(&first)
	go func() {
		spread := min(after/5, 30*time.Millisecond)
		for {
			time.Sleep(after - spread + time.Duration(rand.Int64N(int64(2*spread))))
			next := make(chan struct{})
			close(*m.beat.Swap(&next))
		}
	}()
	return m
}

func (m *metronome) wait() { <-*m.beat.Load() }
