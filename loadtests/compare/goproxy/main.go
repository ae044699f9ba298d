// Command goproxy is the plain Go reverse proxy that the side-by-side bench
// compares with: net/http/httputil with a transport tuned for one upstream.
package main

import (
	"flag"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// copyBuffers lends the reverse proxy its 32 KiB copy buffers, so that a body
// does not cost an allocation.
type copyBuffers struct{ pool sync.Pool }

func (b *copyBuffers) Get() []byte  { return *b.pool.Get().(*[]byte) }
func (b *copyBuffers) Put(p []byte) { b.pool.Put(&p) }

func newTransport(h2c bool) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!h2c)
	protocols.SetUnencryptedHTTP2(h2c)
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 4096,
		IdleConnTimeout:     10 * time.Minute,
		DisableCompression:  true,
		WriteBufferSize:     4 << 10,
		ReadBufferSize:      4 << 10,
		Protocols:           protocols,
	}
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "cleartext address; HTTP/1.1 and h2c")
	tlsListen := flag.String("tls-listen", "", "TLS address; off when empty")
	cert := flag.String("cert", "", "certificate file for -tls-listen")
	key := flag.String("key", "", "key file for -tls-listen")
	target := flag.String("origin", "http://127.0.0.1:8081", "URL of the upstream")
	h2c := flag.Bool("upstream-h2c", false, "speak h2c to the upstream")
	flag.Parse()

	origin, err := url.Parse(*target)
	if err != nil {
		log.Fatalf("goproxy: -origin %q: %v", *target, err)
	}
	buffers := &copyBuffers{pool: sync.Pool{New: func() any { p := make([]byte, 32<<10); return &p }}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(origin)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		Transport:  newTransport(*h2c),
		BufferPool: buffers,
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: proxy, Protocols: protocols, ReadHeaderTimeout: time.Minute}
	if *tlsListen != "" {
		l, err := net.Listen("tcp", *tlsListen)
		if err != nil {
			log.Fatalf("goproxy: %v", err)
		}
		go func() { log.Fatal(server.ServeTLS(l, *cert, *key)) }()
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatalf("goproxy: %v", err)
	}
	log.Fatal(server.Serve(l))
}
