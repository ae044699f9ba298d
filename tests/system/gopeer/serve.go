package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	arrived   atomic.Int64 // requests at /hold
	cancelled atomic.Int64 // of these, whose caller has gone
	meeting   sync.Mutex
	waiting   int
	everybody = make(chan struct{})
)

// tail is the number at the end of the path.
func tail(r *http.Request) int {
	n, _ := strconv.Atoi(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
	return n
}

func say(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{
		"proto": r.Proto, "method": r.Method, "uri": r.RequestURI, "host": r.Host, "headers": r.Header,
	})
}

// echo answers while it reads; trailers come back, beside one of its own.
func echo(w http.ResponseWriter, r *http.Request) {
	out := http.NewResponseController(w)
	out.EnableFullDuplex()
	out.Flush()
	buffer := make([]byte, 32<<10)
	total := 0
	for {
		n, err := r.Body.Read(buffer)
		total += n
		w.Write(buffer[:n])
		out.Flush()
		if err != nil {
			break
		}
	}
	w.Header().Set(http.TrailerPrefix+"X-Total", strconv.Itoa(total))
	for name, values := range r.Trailer {
		w.Header()[http.TrailerPrefix+name] = values
	}
}

func hold(w http.ResponseWriter, r *http.Request) {
	arrived.Add(1)
	select {
	case <-r.Context().Done():
		cancelled.Add(1)
	case <-time.After(time.Minute):
	}
}

// meet answers once that many requests are here at the same time.
func meet(w http.ResponseWriter, r *http.Request) {
	meeting.Lock()
	waiting++
	gate := everybody
	if waiting == tail(r) {
		close(everybody)
		everybody, waiting = make(chan struct{}), 0
	}
	meeting.Unlock()
	select {
	case <-gate:
		fmt.Fprint(w, "met")
	case <-r.Context().Done():
	}
}

// trickle sends a line every 20 ms.
func trickle(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for i := range tail(r) {
		fmt.Fprintf(w, "data: %d\n\n", i)
		http.NewResponseController(w).Flush()
		select {
		case <-time.After(20 * time.Millisecond):
		case <-r.Context().Done():
			return
		}
	}
}

// only is unwell for every version of HTTP but this one.
func only(major int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != major {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
}

func serve() {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") })
	mux.HandleFunc("/say", say)
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/hold", hold)
	mux.HandleFunc("/meet/", meet)
	mux.HandleFunc("/trickle/", trickle)
	mux.HandleFunc("/held", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%d %d", arrived.Load(), cancelled.Load())
	})
	mux.HandleFunc("/size", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	})
	mux.HandleFunc("/bytes/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(tail(r)))
		io.CopyN(w, zeros{}, int64(tail(r)))
	})
	mux.HandleFunc("/status/", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(tail(r)) })
	mux.HandleFunc("/only-h1", only(1))
	mux.HandleFunc("/only-h2", only(2))
	mux.HandleFunc("/later", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(50 * time.Millisecond)
		fmt.Fprint(w, "hello")
	})
	mux.HandleFunc("/early", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "too much", http.StatusRequestEntityTooLarge)
	})
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	server := &http.Server{Handler: mux, Protocols: protocols, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 1000}}
	go server.Serve(listener)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	io.Copy(io.Discard, os.Stdin)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
