// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"sync"
	"time"
)

// pulse looks once a second whether something has changed, for all who follow it together, and not at all while nobody does.
type pulse struct {
	last func(ctx context.Context) (string, error)

	mu   sync.Mutex
	here int
	stop context.CancelFunc
	done chan struct{}
	beat chan struct{} // closed at the next change
}

// pulseEvery is how often it looks.
const pulseEvery = time.Second

// join has a stream take part until it leaves.
func (p *pulse) join() (leave func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.here++; p.here == 1 {
		ctx, stop := context.WithCancel(context.Background())
		p.stop, p.done, p.beat = stop, make(chan struct{}), make(chan struct{})
		go p.run(ctx, p.done)
	}
	return func() {
		p.mu.Lock()
		done := p.done
		last := p.here == 1
		if p.here--; last {
			p.stop()
		}
		p.mu.Unlock()
		if last {
			<-done
		}
	}
}

// next is closed when something has changed since it was asked for.
func (p *pulse) next() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.beat
}

func (p *pulse) run(ctx context.Context, done chan<- struct{}) {
	defer close(done)
	t := time.NewTicker(pulseEvery)
	defer t.Stop()
	known := ""
	for {
		// A store that is away says nothing; each stream finds that out by itself when it is woken.
		if now, err := p.last(ctx); err == nil && now != known {
			known = now
			p.mu.Lock()
			if ctx.Err() == nil { // else it is another's by now
				close(p.beat)
				p.beat = make(chan struct{})
			}
			p.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}
