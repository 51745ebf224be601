// SPDX-License-Identifier: Apache-2.0

package vectorgrpc_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"tocsin/event"
	"tocsin/ingest/vectorgrpc"
	"tocsin/ingest/vectortest"
)

// BenchmarkPush takes Vector's batch of a thousand container lines, without network and disk.
func BenchmarkPush(b *testing.B) {
	var wrappers [][]byte
	for i := range 1000 {
		kube := map[string]any{
			"container_name": "web", "container_image": "registry.local/shop/web:1.4.2", "pod_name": "web-5d9c7b6f4-x2x8q", "pod_namespace": "shop",
			"pod_uid": "0b6c1f4e-7f6e-4a58-9c5e-3b0a7d1f2c11", "pod_node_name": "node-a", "pod_labels": map[string]any{"app": "web"}, "pod_ips": []any{"10.42.0.17"},
		}
		wrappers = append(wrappers, vectortest.EncodeLog(vectortest.Log{ID: id(byte(i)), Root: map[string]any{
			"file": "/var/log/pods/shop_web/web/0.log", "kubernetes": kube, "source_type": "kubernetes_logs", "stream": "stdout",
			"message": fmt.Sprintf(`{"level":"warn","msg":"login failed","user":"ana","n":%d}`, i), "timestamp": time.Unix(1787307330, int64(i)),
		}}))
	}
	request := vectortest.EncodeRequest(wrappers...)
	cfg := vectorgrpc.Config{Commit: func(context.Context, []event.Record) error { return nil }, Log: slog.New(slog.DiscardHandler)}
	b.SetBytes(int64(len(request)))
	b.ReportAllocs()
	for b.Loop() {
		if err := push(cfg, request); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "events/s")
}
