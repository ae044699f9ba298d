// Command gotemplate runs request log templates with Go's own engine.
//
// It reads one JSON question per line and answers with one JSON line: the
// bytes that the template wrote, or which step refused it. The tests compare
// our own engine with these answers.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"text/template"
)

type question struct {
	Template string
	Head     []byte
	Remote   string
	TLS      bool
	Length   int64
	Code     int
	Size     int
	Latency  float64
	Revision revision
}

type answer struct {
	Output []byte
	Parse  string
	Exec   string
}

type response struct {
	Code    int
	Size    int
	Latency float64
}

type revision struct {
	Name, Namespace, Service, Configuration, PodName, PodIP string
}

type input struct {
	Request  *http.Request
	Response *response
	Revision *revision
	TraceID  string
}

func traceID(header http.Header) string {
	fields := strings.Split(header.Get("Traceparent"), "-")
	if len(fields) >= 2 {
		return fields[1]
	}
	return header.Get("X-B3-TraceId")
}

func reply(asked question) answer {
	parsed, err := template.New("log").Parse(asked.Template)
	if err != nil {
		return answer{Parse: err.Error()}
	}
	request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(asked.Head)))
	if err != nil {
		return answer{Parse: "the request cannot be read: " + err.Error()}
	}
	request.RemoteAddr = asked.Remote
	request.ContentLength = asked.Length
	if asked.TLS {
		request.TLS = &tls.ConnectionState{}
	}
	var out bytes.Buffer
	err = parsed.Execute(&out, input{
		Request:  request,
		Response: &response{asked.Code, asked.Size, asked.Latency},
		Revision: &asked.Revision,
		TraceID:  traceID(request.Header),
	})
	if err != nil {
		return answer{Exec: err.Error()}
	}
	return answer{Output: out.Bytes()}
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var asked question
		if err := json.Unmarshal(line, &asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		said, err := json.Marshal(reply(asked))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(string(said))
	}
}
