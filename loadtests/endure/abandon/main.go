// Command abandon drives abandoned load: callers that give up long before the
// app answers, through a proxy with a limit. Afterwards it counts the slots
// that the proxy still has.
//
// The app and the callers are one process. It prints one JSON object.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type report struct {
	Seconds      float64          `json:"seconds"`
	Abandoned    int64            `json:"abandoned"`
	Answered     map[string]int64 `json:"answered_before_giving_up"`
	ReachedApp   int64            `json:"reached_the_app"`
	CutAtApp     int64            `json:"seen_cut_by_the_app"`
	SlotsServed  int              `json:"slots_served_at_once"`
	MostAtOnce   int64            `json:"most_at_once_in_the_check"`
	CheckSeconds float64          `json:"check_seconds"`
}

type app struct {
	work             time.Duration
	reached, cut     atomic.Int64
	checking, atOnce atomic.Int64
}

// ServeHTTP takes -work for /slow, whoever waits; /check takes one second and
// counts how many run together.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	if r.URL.Path == "/check" {
		now := a.checking.Add(1)
		for most := a.atOnce.Load(); now > most && !a.atOnce.CompareAndSwap(most, now); most = a.atOnce.Load() {
		}
		time.Sleep(time.Second)
		a.checking.Add(-1)
		return
	}
	a.reached.Add(1)
	select {
	case <-time.After(a.work):
	case <-r.Context().Done():
		a.cut.Add(1)
	}
}

type crowd struct {
	proxy     string
	patience  time.Duration
	abandoned atomic.Int64
	lock      sync.Mutex
	answered  map[string]int64
}

// quit asks again and again, and gives up each time when patience ends. Every
// third request carries a body, every ninth only a part of it.
func (w *crowd) quit(number int, end time.Time) {
	for turn := number; time.Now().Before(end); turn++ {
		c, err := net.Dial("tcp", w.proxy)
		if err != nil {
			w.note("connect: " + err.Error())
			time.Sleep(w.patience)
			continue
		}
		request := "GET /slow HTTP/1.1\r\nHost: abandon.local\r\n\r\n"
		if turn%3 == 0 {
			request = "POST /slow HTTP/1.1\r\nHost: abandon.local\r\nContent-Length: 2048\r\n\r\n" + strings.Repeat("x", 1024)
			if turn%9 != 0 {
				request += strings.Repeat("x", 1024)
			}
		}
		io.WriteString(c, request)
		c.SetReadDeadline(time.Now().Add(w.patience))
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil {
			w.abandoned.Add(1)
		} else {
			w.note(strings.TrimSpace(line))
		}
		c.Close()
	}
}

func (w *crowd) note(answer string) {
	w.lock.Lock()
	w.answered[answer]++
	w.lock.Unlock()
}

// countSlots sends twice as many checks as there should be slots, all at once,
// and counts how many were answered in the first turn.
func countSlots(proxy string, slots int) (first int, took time.Duration) {
	var all sync.WaitGroup
	var inTime atomic.Int64
	began := time.Now()
	for i := 0; i < 2*slots; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			answer, err := http.Get("http://" + proxy + "/check")
			if err != nil {
				fmt.Fprintf(os.Stderr, "abandon: check: %v\n", err)
				return
			}
			io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK && time.Since(began) < 1900*time.Millisecond {
				inTime.Add(1)
			}
		}()
	}
	all.Wait()
	return int(inTime.Load()), time.Since(began)
}

func main() {
	address := flag.String("app", "127.0.0.1:8080", "address that the app listens on")
	proxy := flag.String("proxy", "127.0.0.1:8012", "address of the proxy")
	callers := flag.Int("callers", 64, "callers")
	slots := flag.Int("slots", 10, "limit of the proxy")
	seconds := flag.Float64("seconds", 600, "how long callers come")
	patience := flag.Duration("patience", 50*time.Millisecond, "when a caller gives up")
	work := flag.Duration("work", 5*time.Second, "what the app takes")
	flag.Parse()

	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatalf("abandon: %v", err)
	}
	a := &app{work: *work}
	go http.Serve(listener, a)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("tcp", *proxy); err == nil {
			c.Close()
			break
		}
		if time.Now().After(end) {
			log.Fatalf("abandon: no proxy at %s", *proxy)
		}
	}
	w := &crowd{proxy: *proxy, patience: *patience, answered: map[string]int64{}}
	began := time.Now()
	end := began.Add(time.Duration(*seconds * float64(time.Second)))
	var all sync.WaitGroup
	for i := 0; i < *callers; i++ {
		all.Add(1)
		go func() { defer all.Done(); w.quit(i, end) }()
	}
	all.Wait()
	took := time.Since(began)
	// a cut that is still on its way must not look like a lost slot
	time.Sleep(time.Second)
	first, check := countSlots(*proxy, *slots)
	r := report{took.Seconds(), w.abandoned.Load(), w.answered, a.reached.Load(), a.cut.Load(), first, a.atOnce.Load(), check.Seconds()}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		log.Fatalf("abandon: %v", err)
	}
}
