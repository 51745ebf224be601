// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
)

// printer writes each alert as one line of JSON. All receivers of a process share one writer,
// and its lock keeps lines whole.
type printer struct {
	mu  *sync.Mutex
	out io.Writer
}

func (p printer) send(_ context.Context, item Item) error {
	line := append(bytes.Clone(item.Body), '\n')
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.out.Write(line); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
