package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

const events = 200

// load keeps requests and streams going over both protocols until stdin ends, and lets each of them
// end by itself; prints how many there were, and what went wrong.
func load(url string) int {
	var (
		mutex                    sync.Mutex
		requests, streams, wrong int
		group                    sync.WaitGroup
	)
	over, end := context.WithCancel(context.Background())
	begun := sync.OnceFunc(func() { fmt.Println("begun") })
	note := func(counter *int, err error) {
		mutex.Lock()
		defer mutex.Unlock()
		*counter++
		if err != nil {
			wrong++
			fmt.Println(err)
		}
	}
	for _, kind := range []string{"h1", "h2c"} {
		c := newCaller(kind, url, nil)
		for range 4 {
			group.Add(2)
			go func() {
				defer group.Done()
				for over.Err() == nil {
					note(&requests, c.get(context.Background()))
				}
			}()
			go func() {
				defer group.Done()
				for over.Err() == nil {
					note(&streams, c.whole(begun))
				}
			}()
		}
	}
	io.Copy(io.Discard, os.Stdin)
	end()
	group.Wait()
	fmt.Printf("%d requests, %d streams, %d failed\n", requests, streams, wrong)
	return min(wrong, 1)
}

// whole is a stream of some seconds, of which every event must come.
func (c *caller) whole(begun func()) error {
	answer, err := c.do(context.Background(), "GET", fmt.Sprintf("/trickle/%d", events), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	begun()
	text, err := io.ReadAll(answer.Body)
	return expect(fmt.Sprint(strings.Count(string(text), "data:")), fmt.Sprint(events), err)
}
