package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/perdure/perdure/store"
)

// An id that is not there costs a look at a filter and no block of rows, also when
// all that is there has sunk to the lowest level: counted in blocks asked for.
func TestMissingKeyCostsNoRows(t *testing.T) {
	d, err := Open(Options{Dir: "/data", FS: vfs.NewMem(), DiskUsage: func() (Disk, error) {
		return Disk{FreeBytes: 100 << 30, TotalBytes: 200 << 30}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx := context.Background()
	s, err := d.Open(ctx, store.SlotRange{From: 0, To: store.Slots})
	if err != nil {
		t.Fatal(err)
	}
	const n = 10_000
	key := func(i int) store.Key {
		return store.Key{Family: store.FamilyCurrent, Name: fmt.Appendf(nil, "workflow-%06d", i)}
	}
	batch := &store.Batch{}
	for i := range n {
		batch.Put(key(2*i), make([]byte, 100))
	}
	done := make(chan error, 1)
	s.Commit(batch, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := d.db.Compact(ctx, []byte{0}, []byte{0xff}, false); err != nil {
		t.Fatal(err)
	}
	asked := func(odd int, want error) int64 {
		before := d.Metrics()
		for i := range n / 10 {
			if _, err := s.Get(ctx, key(20*i+odd)); !errors.Is(err, want) {
				t.Fatalf("get %v: %v, want %v", key(20*i+odd), err, want)
			}
		}
		after := d.Metrics()
		return after.CacheHits + after.CacheMisses - before.CacheHits - before.CacheMisses
	}
	// Each costs the filter and the index of its table. Only what is there is worth
	// a block of rows, too; a filter of ten bits a key is wrong about one in a hundred.
	present, missing := asked(0, nil), asked(1, store.ErrNotFound)
	if saved := present - missing; present < n/10 || saved < n/10*9/10 {
		t.Errorf("%d blocks were asked for, for %d keys that are there, and %d for as many that are not", present, n/10, missing)
	}
}
