// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// commands are what the events tell of: things that run all day. One in a thousand is one that public rules know.
var commands = [][2]string{
	{`C:\\Windows\\System32\\svchost.exe`, `C:\\Windows\\system32\\svchost.exe -k netsvcs -p -s Schedule`},
	{`C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe`, `\"C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe\" --type=renderer --lang=en-US --device-scale-factor=1`},
	{`C:\\Windows\\System32\\dllhost.exe`, `C:\\Windows\\system32\\DllHost.exe /Processid:{AB8902B4-09CA-4BB6-B78D-A8F59079A8D5}`},
	{`C:\\Program Files\\Git\\cmd\\git.exe`, `git.exe status --porcelain=v2 --untracked-files=no`},
	{`C:\\Windows\\System32\\backgroundTaskHost.exe`, `\"C:\\Windows\\system32\\backgroundTaskHost.exe\" -ServerName:CortanaUI.AppXy7vb4pc2dr3kc93kfc509b1d0arkfb2x.mca`},
	{`C:\\Windows\\System32\\taskhostw.exe`, `taskhostw.exe Install $(Arg0)`},
	{`C:\\Program Files\\Common Files\\Microsoft Shared\\ClickToRun\\OfficeC2RClient.exe`, `OfficeC2RClient.exe /frequentupdate SCHEDULEDTASK displaylevel=False`},
	{`C:\\Windows\\System32\\SearchProtocolHost.exe`, `\"C:\\Windows\\system32\\SearchProtocolHost.exe\" Global\\UsGthrFltPipeMssGthrPipe_S-1-5-21 1 -2147483646`},
}

var known = [2]string{`C:\\Windows\\System32\\whoami.exe`, `whoami.exe /priv`}

const (
	shape = `{"event.id":"%s","@timestamp":"%s","Channel":"Microsoft-Windows-Sysmon/Operational","EventID":1,` +
		`"Computer":"%s","Image":"%s","CommandLine":"%s","ParentImage":"C:\\Windows\\System32\\services.exe",` +
		`"CurrentDirectory":"C:\\Windows\\system32\\","User":"NT AUTHORITY\\SYSTEM","IntegrityLevel":"System"}` + "\n"
	probeRule = `title: Probe of the load
id: 7d8b8c1c-7c36-4a9b-9b62-6f1f0b0f6b10
status: test
logsource: {product: windows, category: process_creation}
detection:
    selection: {CommandLine|startswith: 'probe-of-the-load '}
    condition: selection
level: high
`
)

// appendEvent writes the nth event.
func appendEvent(b []byte, rng *rand.Rand, n int64, now string) []byte {
	c := commands[n%int64(len(commands))]
	if n%1000 == 999 {
		c = known
	}
	return fmt.Appendf(b, shape, strconv.FormatInt(n, 10), now, "ws-"+strconv.Itoa(rng.IntN(2000)), c[0], c[1])
}

// send posts batches until the end, at the rate, each until it is taken. It returns how many events were taken, and how often
// the answer was to come again.
func (r run) send(client *http.Client, to string, end time.Time) (sent, refused int64, err error) {
	var wg sync.WaitGroup
	var next, again atomic.Int64
	var failed atomic.Pointer[error]
	start := time.Now()
	for i := range r.clients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			var body []byte
			for failed.Load() == nil {
				n := next.Add(int64(r.batch)) - int64(r.batch)
				if r.rate > 0 {
					time.Sleep(time.Until(start.Add(time.Duration(n) * time.Second / time.Duration(r.rate))))
				}
				if time.Now().After(end) {
					next.Add(-int64(r.batch))
					return
				}
				body = body[:0]
				now := time.Now().UTC().Format(time.RFC3339Nano)
				for k := range int64(r.batch) {
					body = appendEvent(body, rng, n+k, now)
				}
				for {
					status, e := post(client, to, body)
					if e == nil && status/100 == 2 {
						break
					}
					if e != nil || status != http.StatusServiceUnavailable && status != http.StatusTooManyRequests {
						if e == nil {
							e = fmt.Errorf("answered %d", status)
						}
						failed.Store(&e)
						return
					}
					again.Add(1)
					time.Sleep(20 * time.Millisecond)
				}
			}
		})
	}
	wg.Wait()
	if e := failed.Load(); e != nil {
		err = *e
	}
	return next.Load(), again.Load(), err
}

func post(client *http.Client, to string, body []byte) (int, error) {
	resp, err := client.Post(to, "application/x-ndjson", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// prober posts an event that is an incident ten times a second and waits for it.
type prober struct {
	client *http.Client
	target *target
	took   []time.Duration
	err    error
}

func (p *prober) run(end time.Time) {
	for i := 0; time.Now().Before(end) && p.err == nil; i++ {
		host := fmt.Sprintf("probe-%d-", i)
		start := time.Now()
		body := fmt.Appendf(nil, shape, host, start.UTC().Format(time.RFC3339Nano), host, `C:\\probe.exe`, "probe-of-the-load "+host)
		var status int
		if status, p.err = post(p.client, p.target.post, body); p.err == nil && status/100 != 2 {
			continue
		}
		for p.err == nil {
			var there bool
			if there, p.err = p.target.incident(host); there {
				break
			}
			if time.Since(start) > time.Minute {
				p.err = fmt.Errorf("there is no incident of %s", host)
			}
			time.Sleep(2 * time.Millisecond)
		}
		p.took = append(p.took, time.Since(start))
		time.Sleep(100*time.Millisecond - time.Since(start))
	}
}
