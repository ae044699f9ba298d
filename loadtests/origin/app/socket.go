package main

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// The GUID that RFC 6455 section 1.3 has a server append to the key.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

const closeFrame = 8

// goingAway is a close frame with status 1001 (RFC 6455 section 7.4.1).
var goingAway = []byte{0x80 | closeFrame, 2, 1001 >> 8, 1001 & 255}

// open is the set of connections that were upgraded. A frame is written whole,
// under the connection's lock.
type open struct {
	sync.Mutex
	locks map[net.Conn]*sync.Mutex
	left  sync.WaitGroup
}

var sockets = open{locks: map[net.Conn]*sync.Mutex{}}

func (o *open) add(c net.Conn) *sync.Mutex {
	o.Lock()
	defer o.Unlock()
	o.locks[c] = new(sync.Mutex)
	o.left.Add(1)
	return o.locks[c]
}

func (o *open) remove(c net.Conn) {
	o.Lock()
	defer o.Unlock()
	delete(o.locks, c)
	o.left.Done()
}

// closeAll says so on every connection, and waits for the callers to close.
func (o *open) closeAll(patience time.Duration) {
	o.Lock()
	for c, lock := range o.locks {
		lock.Lock()
		c.Write(goingAway)
		lock.Unlock()
	}
	o.Unlock()
	left := make(chan struct{})
	go func() {
		o.left.Wait()
		close(left)
	}()
	select {
	case <-left:
	case <-time.After(patience):
	}
}

// echoSocket upgrades to WebSocket and sends every frame back, pings as pongs.
func echoSocket(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Sec-WebSocket-Key")
	hijacker, ok := w.(http.Hijacker)
	if key == "" || !ok {
		http.Error(w, "a WebSocket over HTTP/1.1 is wanted here", http.StatusBadRequest)
		return
	}
	c, in, err := hijacker.Hijack()
	if err != nil {
		return
	}
	defer c.Close()
	sum := sha1.Sum([]byte(key + acceptGUID))
	in.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ")
	in.WriteString(base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n")
	if in.Flush() != nil {
		return
	}
	lock := sockets.add(c)
	defer sockets.remove(c)
	for {
		first, payload, err := readFrame(in.Reader)
		if err != nil {
			return
		}
		lock.Lock()
		err = writeFrame(in.Writer, first, payload)
		lock.Unlock()
		if err != nil || first&15 == closeFrame {
			return
		}
	}
}

// readFrame returns the first byte of a frame and its payload, unmasked.
func readFrame(in *bufio.Reader) (first byte, payload []byte, err error) {
	var head [2]byte
	if _, err = io.ReadFull(in, head[:]); err != nil {
		return 0, nil, err
	}
	length := uint64(head[1] & 127)
	switch length {
	case 126:
		var long uint16
		err = binary.Read(in, binary.BigEndian, &long)
		length = uint64(long)
	case 127:
		err = binary.Read(in, binary.BigEndian, &length)
	}
	if err != nil {
		return 0, nil, err
	}
	if length > messageMax {
		return 0, nil, io.ErrShortBuffer
	}
	var mask [4]byte
	if head[1]&128 != 0 {
		if _, err = io.ReadFull(in, mask[:]); err != nil {
			return 0, nil, err
		}
	}
	payload = make([]byte, length)
	_, err = io.ReadFull(in, payload)
	for i := range payload {
		payload[i] ^= mask[i&3]
	}
	return head[0], payload, err
}

func writeFrame(out *bufio.Writer, first byte, payload []byte) error {
	const ping, pong = 9, 10
	if first&15 == ping {
		first = first&0xf0 | pong
	}
	out.WriteByte(first)
	switch n := len(payload); {
	case n < 126:
		out.WriteByte(byte(n))
	case n < 1<<16:
		out.WriteByte(126)
		binary.Write(out, binary.BigEndian, uint16(n))
	default:
		out.WriteByte(127)
		binary.Write(out, binary.BigEndian, uint64(n))
	}
	out.Write(payload)
	return out.Flush()
}
