// Command app is an app to load: HTTP/1.1 and h2c on one port, with an echo
// for every kind of exchange that the load tests' users make.
//
//	/            1 KiB
//	/large       1 MiB
//	/takes/MS     1 KiB after MS milliseconds
//	/upload      reads the body, answers with its length
//	/events/N    N server-sent events, 20 ms apart
//	/alive       200, until /ill has been called
//	/ill         what a liveness probe is there for
//	/socket      WebSocket; every message comes back
//	gRPC         every message of any method comes back
//
// On TERM it ends as an app should: requests are finished, WebSockets closed
// with a frame that says so.
package main

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const messageMax = 4 << 20

var (
	small = []byte(strings.Repeat("x", 1<<10))
	large = []byte(strings.Repeat("x", 1<<20))
)

var ill atomic.Bool

func alive(w http.ResponseWriter, r *http.Request) {
	if ill.Load() {
		http.Error(w, "ill", http.StatusInternalServerError)
	}
}

func number(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
	if err != nil {
		return 0
	}
	return n
}

func work(w http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(time.Duration(number(r)) * time.Millisecond):
		w.Write(small)
	case <-r.Context().Done():
	}
}

func upload(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintln(w, n)
}

func events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	for i := range number(r) {
		fmt.Fprintf(w, "data: %d\n\n", i)
		if out.Flush() != nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// echoCalls serves any gRPC method: messages come back one by one, so that it
// is right for all four kinds of call.
func echoCalls(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status")
	out := http.NewResponseController(w)
	prefix := make([]byte, 5)
	status := "0"
	for {
		if _, err := io.ReadFull(r.Body, prefix); err == io.EOF {
			break
		} else if err != nil {
			status = "13"
			break
		}
		length := binary.BigEndian.Uint32(prefix[1:])
		if length > messageMax {
			status = "8"
			break
		}
		message := make([]byte, 5+length)
		copy(message, prefix)
		if _, err := io.ReadFull(r.Body, message[5:]); err != nil {
			status = "13"
			break
		}
		w.Write(message)
		out.Flush()
	}
	w.Header().Set("Grpc-Status", status)
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address")
	flag.Parse()
	paths := http.NewServeMux()
	paths.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) { w.Write(large) })
	paths.HandleFunc("/takes/", work)
	paths.HandleFunc("/upload", upload)
	paths.HandleFunc("/events/", events)
	paths.HandleFunc("/socket", echoSocket)
	paths.HandleFunc("/alive", alive)
	paths.HandleFunc("/ill", func(w http.ResponseWriter, r *http.Request) { ill.Store(true) })
	paths.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { w.Write(small) })
	all := func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			echoCalls(w, r)
			return
		}
		paths.ServeHTTP(w, r)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Addr: *listen, Handler: http.HandlerFunc(all), Protocols: protocols, ReadHeaderTimeout: time.Minute}
	ended := make(chan error)
	go func() {
		told := make(chan os.Signal, 1)
		signal.Notify(told, syscall.SIGTERM)
		<-told
		err := server.Shutdown(context.Background())
		sockets.closeAll(5 * time.Second)
		ended <- err
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
}
