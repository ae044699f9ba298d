// Command race drives the keep-alive race: an app that closes idle connections,
// and callers that reach it through a proxy, in one process, so that what was
// executed and what was answered stand side by side.
//
// It prints one JSON object. Ids number the requests; the app counts how often
// it executed each.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

type settings struct {
	proxy   string
	count   int
	callers int
	random  bool
	after   time.Duration
	abort   float64
	pulse   bool
	learn   int
	limit   time.Duration
}

// report is what the run found. Learning ends after the first `learn` requests.
type report struct {
	Seconds        float64          `json:"seconds"`
	Requests       map[string]int64 `json:"requests"`
	Answered       map[string]int64 `json:"answered"`
	FailedLearning map[string]int64 `json:"failed_while_learning"`
	Failed         map[string]int64 `json:"failed_after_learning"`
	Causes         map[string]int64 `json:"causes"`
	PostTwice      int64            `json:"post_executed_twice"`
	GetTwice       int64            `json:"get_executed_again"`
	PostFailedRun  int64            `json:"failed_post_was_executed"`
	PostFailedNot  int64            `json:"failed_post_was_not_executed"`
	Aborted        map[string]int64 `json:"aborted_by_the_app"`
	IdleCloses     int64            `json:"idle_closes_by_the_app"`
	Connections    int64            `json:"connections_to_the_app"`
}

func readSettings() (settings, string) {
	var s settings
	app := flag.String("app", "127.0.0.1:8080", "address that the app listens on")
	flag.StringVar(&s.proxy, "proxy", "127.0.0.1:8012", "address of the proxy")
	flag.IntVar(&s.count, "count", 100000, "requests in all, half of them POST")
	flag.IntVar(&s.callers, "callers", 400, "callers, each with a connection of its own")
	flag.BoolVar(&s.random, "random", false, "the app's idle time is random between 0 and -after")
	flag.DurationVar(&s.after, "after", 50*time.Millisecond, "idle time after which the app closes")
	flag.Float64Var(&s.abort, "abort", 0, "share of requests that the app executes and then aborts")
	flag.BoolVar(&s.pulse, "pulse", false, "callers send together, about -after apart")
	flag.IntVar(&s.learn, "learn", 0, "requests that belong to learning")
	flag.DurationVar(&s.limit, "limit", time.Hour, "longest run")
	flag.Parse()
	return s, *app
}

func main() {
	s, address := readSettings()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatalf("race: %v", err)
	}
	app := newApp(s)
	go app.serve(listener)
	waitFor(s.proxy)

	crowd := newCrowd(s, app)
	began := time.Now()
	var all sync.WaitGroup
	for i := 0; i < s.callers; i++ {
		all.Add(1)
		go func() { defer all.Done(); crowd.call(uint64(i + 1)) }()
	}
	all.Wait()
	r := crowd.report(time.Since(began))
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		log.Fatalf("race: %v", err)
	}
}

// waitFor returns once the proxy accepts connections; it ends the program after 30 s.
func waitFor(address string) {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	fmt.Fprintf(os.Stderr, "race: no proxy at %s\n", address)
	os.Exit(1)
}

// tally counts by name; many goroutines add.
type tally struct{ counts sync.Map }

func (t *tally) add(name string) {
	n, ok := t.counts.Load(name)
	if !ok {
		n, _ = t.counts.LoadOrStore(name, new(atomic.Int64))
	}
	n.(*atomic.Int64).Add(1)
}

func (t *tally) read() map[string]int64 {
	seen := map[string]int64{}
	t.counts.Range(func(k, v any) bool { seen[k.(string)] = v.(*atomic.Int64).Load(); return true })
	return seen
}
