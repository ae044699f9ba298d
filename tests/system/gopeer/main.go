// Command gopeer is Go's net/http at both ends of a sidecar: an app that
// speaks HTTP/1.1 and h2c on one port, and a client that checks what it gets.
//
//	gopeer serve                  prints its port, serves until its stdin ends
//	gopeer call KIND URL [CA]     KIND is h1, h2c, h1-tls or h2-tls; one line per check
//	gopeer load URL               requests and streams over h1 and h2c until its stdin ends
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "serve" {
		serve()
		return
	}
	if len(os.Args) >= 4 && os.Args[1] == "call" {
		os.Exit(call(os.Args[2], os.Args[3], os.Args[4:]))
	}
	if len(os.Args) == 3 && os.Args[1] == "load" {
		os.Exit(load(os.Args[2]))
	}
	fmt.Fprintln(os.Stderr, "usage: gopeer serve | gopeer call KIND URL [CA] | gopeer load URL")
	os.Exit(2)
}
