package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

const patience = 10 * time.Second

type caller struct {
	client *http.Client
	url    string
	major  int
}

func newCaller(kind, url string, ca []string) *caller {
	protocols := new(http.Protocols)
	major := 1
	switch kind {
	case "h1", "h1-tls":
		protocols.SetHTTP1(true)
	case "h2c":
		protocols.SetUnencryptedHTTP2(true)
		major = 2
	case "h2-tls":
		protocols.SetHTTP2(true)
		major = 2
	}
	transport := &http.Transport{Protocols: protocols, MaxConnsPerHost: 100}
	if len(ca) > 0 {
		pem, err := os.ReadFile(ca[0])
		if err != nil {
			panic(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, ServerName: "localhost"}
	}
	return &caller{&http.Client{Transport: transport}, url, major}
}

func (c *caller) do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, body)
	if err != nil {
		return nil, err
	}
	return c.client.Do(request)
}

// text is the whole body of a 200, over the protocol that was asked for.
func (c *caller) text(ctx context.Context, method, path string, body io.Reader) (string, error) {
	answer, err := c.do(ctx, method, path, body)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err == nil && (answer.StatusCode != 200 || answer.ProtoMajor != c.major) {
		err = fmt.Errorf("status %d by %s", answer.StatusCode, answer.Proto)
	}
	return string(got), err
}

func expect(got, want string, err error) error {
	if err == nil && got != want {
		return fmt.Errorf("got %.60q instead of %.60q", got, want)
	}
	return err
}

func (c *caller) get(ctx context.Context) error {
	got, err := c.text(ctx, "GET", "/", nil)
	return expect(got, "hello", err)
}

func (c *caller) upload(ctx context.Context) error {
	got, err := c.text(ctx, "POST", "/size", bytes.NewReader(make([]byte, 5<<20)))
	return expect(got, "5242880", err)
}

func (c *caller) chunked(ctx context.Context) error {
	got, err := c.text(ctx, "POST", "/size", io.LimitReader(zeros{}, 3<<20))
	return expect(got, "3145728", err)
}

func (c *caller) download(ctx context.Context) error {
	got, err := c.text(ctx, "GET", "/bytes/5242880", nil)
	return expect(fmt.Sprint(len(got)), "5242880", err)
}

func (c *caller) together(ctx context.Context) error {
	results := make(chan error)
	for range 50 {
		go func() {
			got, err := c.text(ctx, "GET", "/meet/50", nil)
			results <- expect(got, "met", err)
		}()
	}
	var all error
	for range 50 {
		all = errors.Join(all, <-results)
	}
	return all
}

// duplex reads each answer before it sends the next piece. The app's trailer comes, and the request's
// comes back; but Go's HTTP/2 server shows its handler only trailers that a Trailer field announced, and
// that field ends at a proxy.
func (c *caller) duplex(ctx context.Context) error {
	read, write := io.Pipe()
	request, err := http.NewRequestWithContext(ctx, "POST", c.url+"/echo", read)
	if err != nil {
		return err
	}
	request.Trailer = http.Header{"X-Sum": nil}
	go io.WriteString(write, "begin")
	answer, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	for _, piece := range []string{"begin", "one", "two", "three"} {
		if piece != "begin" {
			io.WriteString(write, piece)
		}
		got := make([]byte, len(piece))
		if _, err := io.ReadFull(answer.Body, got); err != nil || string(got) != piece {
			return fmt.Errorf("got %q instead of %q: %w", got, piece, err)
		}
	}
	request.Trailer.Set("X-Sum", "16")
	write.Close()
	if _, err := io.ReadAll(answer.Body); err != nil {
		return err
	}
	if got := answer.Trailer.Get("X-Sum"); c.major == 1 && got != "16" {
		return fmt.Errorf("the request's trailer came back as %q", got)
	}
	return expect(answer.Trailer.Get("X-Total"), "16", nil)
}

// cancel leaves, and the app sees it.
func (c *caller) cancel(ctx context.Context) error {
	brief, leave := context.WithTimeout(ctx, 200*time.Millisecond)
	defer leave()
	if _, err := c.text(brief, "GET", "/hold", nil); !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("not cancelled: %w", err)
	}
	for {
		got, err := c.text(ctx, "GET", "/held", nil)
		if err != nil {
			return err
		}
		var arrived, cancelled int
		fmt.Sscan(got, &arrived, &cancelled)
		if arrived > 0 && arrived == cancelled {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (c *caller) expectContinue(ctx context.Context) error {
	request, _ := http.NewRequestWithContext(ctx, "POST", c.url+"/size", bytes.NewReader(make([]byte, 1<<20)))
	request.Header.Set("Expect", "100-continue")
	answer, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	return expect(string(got), "1048576", err)
}

func (c *caller) events(ctx context.Context) error {
	began := time.Now()
	answer, err := c.do(ctx, "GET", "/trickle/25", nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	first := make([]byte, len("data: 0\n\n"))
	if _, err := io.ReadFull(answer.Body, first); err != nil {
		return err
	}
	early := time.Since(began)
	rest, err := io.ReadAll(answer.Body)
	if err == nil && early > time.Since(began)/2 {
		err = fmt.Errorf("the first event came after %v of %v", early, time.Since(began))
	}
	return expect(fmt.Sprint(strings.Count(string(rest), "data:")), "24", err)
}

func (c *caller) bodiless(ctx context.Context) error {
	for path, status := range map[string]int{"/status/204": 204, "/status/304": 304} {
		answer, err := c.do(ctx, "GET", path, nil)
		if err != nil || answer.StatusCode != status {
			return fmt.Errorf("%s: %v, %w", path, answer, err)
		}
		answer.Body.Close()
	}
	answer, err := c.do(ctx, "HEAD", "/bytes/1000", nil)
	if err == nil && answer.ContentLength != 1000 {
		err = fmt.Errorf("HEAD says %d", answer.ContentLength)
	}
	return errors.Join(err, c.get(ctx))
}

// early hears the refusal although it is still sending.
func (c *caller) early(ctx context.Context) error {
	answer, err := c.do(ctx, "POST", "/early", io.LimitReader(zeros{}, 64<<20))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return expect(fmt.Sprint(answer.StatusCode), "413", nil)
}

func call(kind, url string, ca []string) int {
	c := newCaller(kind, url, ca)
	status := 0
	for _, check := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"get", c.get}, {"upload", c.upload}, {"chunked", c.chunked}, {"download", c.download},
		{"together", c.together}, {"duplex", c.duplex}, {"cancel", c.cancel}, {"continue", c.expectContinue},
		{"events", c.events}, {"bodiless", c.bodiless}, {"early", c.early},
	} {
		ctx, done := context.WithTimeout(context.Background(), patience)
		if err := check.run(ctx); err != nil {
			fmt.Printf("FAIL %s: %v\n", check.name, err)
			status = 1
		} else {
			fmt.Printf("ok %s\n", check.name)
		}
		done()
	}
	return status
}
