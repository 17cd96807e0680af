package pebblestore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/pebblestore"
)

// BenchmarkCommit measures batches of several sizes, kept in flight by several
// shards at once, on the disk of the temporary folder. One operation is one
// batch of ten records. syncs/batch is what sharing saves.
func BenchmarkCommit(b *testing.B) {
	for _, shards := range []int{1, 4} {
		for _, inFlight := range []int{1, 16} {
			for _, valueBytes := range []int{100, 2000} {
				name := fmt.Sprintf("shards=%d/inflight=%d/value=%d", shards, inFlight, valueBytes)
				b.Run(name, func(b *testing.B) { benchmarkCommit(b, shards, inFlight, valueBytes) })
			}
		}
	}
}

func benchmarkCommit(b *testing.B, shards, inFlight, valueBytes int) {
	d := mustOpen(b, pebblestore.Options{Dir: b.TempDir()})
	var wg sync.WaitGroup
	value := make([]byte, valueBytes)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range shards {
		from := store.Slot(i * 8)
		s, err := d.Open(context.Background(), store.SlotRange{From: from, To: from + 8})
		if err != nil {
			b.Fatal(err)
		}
		wg.Go(func() {
			room := make(chan struct{}, inFlight)
			for n := range b.N / shards {
				room <- struct{}{}
				batch := &store.Batch{}
				for j := range store.Slot(10) {
					k := store.Key{Family: store.FamilyState, Slot: from + j%8, Name: fmt.Appendf(nil, "run-%d-%d", n%5000, j)}
					batch.Put(k, value)
				}
				s.Commit(batch, func(err error) {
					if err != nil {
						b.Error(err)
					}
					<-room
				})
			}
			if err := s.Close(); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	m := d.Metrics()
	b.ReportMetric(float64(m.LogSyncs)/float64(max(m.Batches, 1)), "syncs/batch")
	b.ReportMetric(float64(m.WrittenBytes())/float64(max(m.BatchBytes, 1)), "written/byte")
	if err := d.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkGet measures reads of keys that exist and keys that do not, from
// tables, and of the latter those that are known not to be there.
func BenchmarkGet(b *testing.B) {
	d := mustOpen(b, pebblestore.Options{Dir: b.TempDir(), NoSync: true, MemTableBytes: 1 << 20})
	s := mustOpenShard(b, d)
	const n = 20_000
	for i := range n {
		batch := &store.Batch{}
		batch.Put(getKey(2*i), make([]byte, 200))
		s.Commit(batch, func(error) {})
	}
	wait(b, s)
	b.Run("absent", func(b *testing.B) { // a missing key that need not be read
		b.ReportAllocs()
		for i := range b.N {
			s.Absent(getKey(2*(i*7919%n) + 1))
		}
	})
	for name, odd := range map[string]int{"found": 0, "missing": 1} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				if _, err := s.Get(context.Background(), getKey(2*(i*7919%n)+odd)); (err == nil) != (odd == 0) {
					b.Fatal(err)
				}
			}
		})
	}
	if err := d.Close(); err != nil {
		b.Fatal(err)
	}
}

func getKey(i int) store.Key {
	return store.Key{Family: store.FamilyCurrent, Name: fmt.Appendf(nil, "namespace/workflow-%08d", i)}
}
