// SPDX-License-Identifier: Apache-2.0

package vectorgrpc_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/http"
	"testing"

	"tocsin/ingest/vectortest"
)

// TestAnswersOnTheWire looks at the answer without a gRPC library: Vector's client takes one that is compressed, as gRPC servers
// answer a compressed request, for a refusal, and drops the batch.
func TestAnswersOnTheWire(t *testing.T) {
	t.Parallel()
	request := vectortest.EncodeRequest(vectortest.EncodeLog(vectortest.Log{Root: map[string]any{"a": 1}, ID: id(1)}))
	for _, compression := range []string{"", "gzip", "zstd"} {
		t.Run("compression "+compression, func(t *testing.T) {
			t.Parallel()
			var s stream
			addr := serve(t, s.config())
			code, message := post(t, addr, "/vector.Vector/PushEvents", compression, request)
			if code != "0" || message == nil || len(message) != 0 || len(s.records) != 1 {
				t.Errorf("push: status %s, message %x, %d records", code, message, len(s.records))
			}
			if code, message = post(t, addr, "/vector.Vector/HealthCheck", compression, nil); code != "0" || message == nil || len(message) != 0 {
				t.Errorf("health: status %s, message %x", code, message)
			}
			if code, _ = post(t, addr, "/vector.Vector/PushEvents", compression, []byte{0xff}); code != "3" {
				t.Errorf("nonsense: status %s", code)
			}
		})
	}
}

// post makes one call over HTTP/2 without TLS, and returns grpc-status and the message, nil if there is none.
func post(t *testing.T, addr, path, compression string, message []byte) (status string, answer []byte) {
	t.Helper()
	packed, _, err := vectortest.Compress(compression, message)
	if err != nil {
		t.Fatal(err)
	}
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(packed)))
	if compression != "" {
		frame[0] = 1
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+path, bytes.NewReader(append(frame, packed...)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("TE", "trailers")
	if compression != "" {
		req.Header.Set("grpc-encoding", compression)
	}
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if e := resp.Header.Get("grpc-encoding"); e != "" && e != "identity" {
		t.Errorf("the answer's compression is %s", e)
	}
	if status = resp.Header.Get("grpc-status"); status == "" {
		status = resp.Trailer.Get("grpc-status")
	}
	if len(body) == 0 {
		return status, nil
	}
	if len(body) < 5 || body[0] != 0 || int(binary.BigEndian.Uint32(body[1:5])) != len(body)-5 {
		t.Fatalf("the answer is %x", body)
	}
	return status, body[5:]
}
