// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// proxy is a TCP connection's way that can be made bad.
type proxy struct {
	ln net.Listener
	to string

	mu    sync.Mutex
	conns map[net.Conn]bool
	delay time.Duration
	hole  chan struct{} // not nil: nothing passes until it is closed
	cut   bool          // no connection is taken
}

func newProxy(to string) (*proxy, error) {
	// Not one that the kernel gives: another test's server that was killed may have had it, and its clients would come here.
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", ports[0]))
	if err != nil {
		return nil, err
	}
	p := &proxy{ln: ln, to: to, conns: make(map[net.Conn]bool)}
	go p.accept()
	return p, nil
}

func (p *proxy) addr() string { return p.ln.Addr().String() }

func (p *proxy) accept() {
	for {
		c, err := p.ln.Accept()
		if err != nil {
			return
		}
		go p.serve(c)
	}
}

func (p *proxy) serve(near net.Conn) {
	defer near.Close()
	p.wait()
	if p.isCut() {
		return
	}
	far, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer far.Close()
	p.mu.Lock()
	p.conns[near], p.conns[far] = true, true
	p.mu.Unlock()
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		go func() {
			p.copy(way[1], way[0])
			ended <- struct{}{}
		}()
	}
	<-ended
	p.mu.Lock()
	delete(p.conns, near)
	delete(p.conns, far)
	p.mu.Unlock()
}

func (p *proxy) copy(to io.Writer, from io.Reader) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		p.wait()
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// wait waits as long as the way is bad.
func (p *proxy) wait() {
	p.mu.Lock()
	hole, delay := p.hole, p.delay
	p.mu.Unlock()
	if hole != nil {
		<-hole
	}
	time.Sleep(delay)
}

func (p *proxy) isCut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cut
}

// cutFor ends all connections and takes none for a time.
func (p *proxy) cutFor(d time.Duration) {
	p.mu.Lock()
	p.cut = true
	p.closeAll()
	p.mu.Unlock()
	time.Sleep(d)
	p.mu.Lock()
	p.cut = false
	p.mu.Unlock()
}

// closeAll ends all connections with a reset.
func (p *proxy) closeAll() {
	for c := range p.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // closing is what counts
		}
		_ = c.Close()
	}
	clear(p.conns)
}

// swallowFor lets nothing through for a time, and says so to nobody. If lost is true the connections are gone after it, else
// what was held comes.
func (p *proxy) swallowFor(d time.Duration, lost bool) {
	hole := make(chan struct{})
	p.mu.Lock()
	p.hole = hole
	p.mu.Unlock()
	time.Sleep(d)
	p.mu.Lock()
	p.hole = nil
	if lost {
		p.closeAll()
	}
	p.mu.Unlock()
	close(hole)
}

// delayFor makes each read wait.
func (p *proxy) delayFor(by, d time.Duration) {
	p.set(by)
	time.Sleep(d)
	p.set(0)
}

func (p *proxy) set(delay time.Duration) {
	p.mu.Lock()
	p.delay = delay
	p.mu.Unlock()
}

func (p *proxy) close() {
	_ = p.ln.Close() // nobody connects any more
	p.mu.Lock()
	p.closeAll()
	p.mu.Unlock()
}
