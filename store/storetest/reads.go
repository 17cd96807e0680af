package storetest

import (
	"bytes"
	"context"
	"strings"

	"github.com/perdure/perdure/store"
)

func testReads(t TB, disk Disk) {
	d := disk.Open(t)
	s := open(t, d, 0, 16)
	binary := key(3, "\x00\xff\x00")
	mustCommit(t, s, puts(key(3, "a"), "1", key(3, ""), "nameless", binary, "b", key(3, "empty"), ""))
	wantValue(t, s, key(3, "a"), "1")
	wantValue(t, s, key(3, ""), "nameless")
	wantValue(t, s, binary, "b")
	wantValue(t, s, key(3, "empty"), "")
	wantMissing(t, s, key(3, "b"))
	wantMissing(t, s, key(4, "a"))
	wantMissing(t, s, store.Key{Family: store.FamilyState, Slot: 3, Name: []byte("a")})

	b := puts(key(3, "a"), "2")
	b.Delete(key(3, ""))
	b.Delete(key(3, "never there"))
	mustCommit(t, s, b)
	wantValue(t, s, key(3, "a"), "2")
	wantMissing(t, s, key(3, ""))

	closeDriver(t, d)
	d = disk.Open(t)
	defer closeDriver(t, d)
	s = open(t, d, 0, 16)
	wantLines(t, all(t, s), `3/3/"\x00\xff\x00"=b`, `3/3/"a"=2`, `3/3/"empty"=`)

	ended, cancel := context.WithCancel(bg)
	cancel()
	_, err := s.Get(ended, key(3, "a"))
	wantErr(t, "get with an ended context", err, context.Canceled)
}

func testScanOrder(t TB, disk Disk) {
	d := disk.Open(t)
	defer closeDriver(t, d)
	s := open(t, d, 1, 300)
	mustCommit(t, s, puts(
		key(256, "a"), "5", key(2, "b"), "3", key(2, "a\x00"), "2", key(2, "a"), "1", key(255, "\xff"), "4", key(299, ""), "6",
		store.Key{Family: store.FamilyTask, Slot: 2, Name: []byte("a")}, "other family",
	))
	wantLines(t, list(t, s, key(1, ""), key(300, "")),
		`3/2/"a"=1`, `3/2/"a\x00"=2`, `3/2/"b"=3`, `3/255/"\xff"=4`, `3/256/"a"=5`, `3/299/""=6`)
	wantLines(t, list(t, s, key(2, "a\x00"), key(2, "b")), `3/2/"a\x00"=2`)
	wantLines(t, list(t, s, key(2, "b"), key(2, "b")))
	wantLines(t, list(t, s, key(255, ""), key(256, "")), `3/255/"\xff"=4`)
	wantLines(t, list(t, s, key(3, ""), key(2, "")))
}

func testScanEnds(t TB, disk Disk) {
	d := disk.Open(t)
	defer closeDriver(t, d)
	s := open(t, d, 0, 1)
	mustCommit(t, s, puts(key(0, "a"), "1", key(0, "b"), "2", key(0, "c"), "3"))

	seen := 0
	err := s.Scan(bg, key(0, ""), key(1, ""), func(store.Entry) bool { seen++; return seen < 2 })
	if err != nil || seen != 2 {
		t.Fatalf("scan that stops itself: %d entries, %v; want 2, nil", seen, err)
	}
	ctx, cancel := context.WithCancel(bg)
	seen = 0
	err = s.Scan(ctx, key(0, ""), key(1, ""), func(store.Entry) bool { seen++; cancel(); return true })
	wantErr(t, "scan whose context ends", err, context.Canceled)
	if seen != 1 {
		t.Fatalf("scan whose context ended after 1 entry showed %d", seen)
	}
}

func testScanView(t TB, disk Disk) {
	d := disk.Open(t)
	defer closeDriver(t, d)
	s := open(t, d, 0, 1)
	mustCommit(t, s, puts(key(0, "a"), "1", key(0, "c"), "1"))
	var seen []string
	err := s.Scan(bg, key(0, ""), key(1, ""), func(e store.Entry) bool {
		seen = append(seen, string(e.Key.Name)+string(e.Value))
		b := puts(key(0, "b"), "2", key(0, "d"), "2")
		b.Delete(key(0, "c"))
		mustCommit(t, s, b)
		wantValue(t, s, key(0, "b"), "2") // a read within a scan sees the present
		return true
	})
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	wantLines(t, seen, "a1", "c1")
	wantLines(t, all(t, s), `3/0/"a"=1`, `3/0/"b"=2`, `3/0/"d"=2`)
}

func testBatchOrder(t TB, disk Disk) {
	d := disk.Open(t)
	defer closeDriver(t, d)
	s := open(t, d, 0, 1)
	b := &store.Batch{}
	b.Put(key(0, "a"), []byte("1"))
	b.Put(key(0, "a"), []byte("2"))
	b.Put(key(0, "b"), []byte("1"))
	b.Delete(key(0, "b"))
	b.Delete(key(0, "c"))
	b.Put(key(0, "c"), []byte("1"))
	b.Put(key(0, "d"), []byte("1"))
	b.DeleteRange(key(0, "c"), []byte("e"))
	b.Put(key(0, "d"), []byte("2"))
	mustCommit(t, s, b)
	wantLines(t, all(t, s), `3/0/"a"=2`, `3/0/"d"=2`)
}

func testRangeDelete(t TB, disk Disk) {
	d := disk.Open(t)
	s := open(t, d, 0, 3)
	other := store.Key{Family: store.FamilyState, Slot: 1, Name: []byte("b")}
	mustCommit(t, s, puts(key(0, "b"), "", key(1, "a"), "", key(1, "b"), "", key(1, "b\x00"), "", key(1, "c"), "", key(2, "b"), "", other, ""))
	b := &store.Batch{}
	b.DeleteRange(key(1, "b"), []byte("c"))
	b.DeleteRange(key(1, "a"), []byte("a")) // an empty range deletes nothing
	b.DeleteRange(key(2, ""), []byte{})
	mustCommit(t, s, b)
	want := []string{`3/0/"b"=`, `3/1/"a"=`, `3/1/"c"=`, `3/2/"b"=`}
	wantLines(t, all(t, s), want...)
	wantValue(t, s, other, "")
	closeDriver(t, d)
	d = disk.Open(t)
	defer closeDriver(t, d)
	s = open(t, d, 0, 3)
	wantLines(t, all(t, s), want...)

	backwards := &store.Batch{}
	backwards.DeleteRange(key(1, "b"), []byte("a"))
	wantErr(t, "range delete that ends before it begins", commit(s, backwards), store.ErrNotDone)
}

func testLargeValues(t TB, disk Disk) {
	d := disk.Open(t)
	s := open(t, d, 0, 1)
	// Around the block of a log, and past a memtable of the tests.
	for _, size := range []int{32<<10 - 20, 32 << 10, 1 << 20, 3 << 20} {
		b := puts(key(0, "before"), "1")
		b.Put(key(0, "large"), bytes.Repeat([]byte{byte(size >> 4)}, size))
		b.Put(key(0, strings.Repeat("n", store.MaxNameBytes)), []byte("long name"))
		mustCommit(t, s, b)
		got, err := s.Get(bg, key(0, "large"))
		if err != nil || len(got) != size || got[0] != byte(size>>4) || got[size-1] != byte(size>>4) {
			t.Fatalf("value of %d bytes came back with %d, %v", size, len(got), err)
		}
	}
	closeDriver(t, d)
	d = disk.Open(t)
	defer closeDriver(t, d)
	s = open(t, d, 0, 1)
	if got, err := s.Get(bg, key(0, "large")); err != nil || len(got) != 3<<20 {
		t.Fatalf("after reopening a value of %d bytes came back with %d, %v", 3<<20, len(got), err)
	}
	wantValue(t, s, key(0, strings.Repeat("n", store.MaxNameBytes)), "long name")
	tooLong := puts(key(0, strings.Repeat("n", store.MaxNameBytes+1)), "")
	wantErr(t, "name that is too long", commit(s, tooLong), store.ErrNotDone)
}

func testGetOwned(t TB, disk Disk) {
	d := disk.Open(t)
	defer closeDriver(t, d)
	s := open(t, d, 0, 1)
	mustCommit(t, s, puts(key(0, "a"), "value"))
	got, err := s.Get(bg, key(0, "a"))
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	clear(got)
	wantValue(t, s, key(0, "a"), "value")
}

func testOutside(t TB, disk Disk) {
	d := disk.Open(t)
	defer closeDriver(t, d)
	for name, outside := range map[string]store.Key{
		"slot below":    key(3, "a"),
		"slot above":    key(8, "a"),
		"system slot":   key(store.SystemSlot, "a"),
		"driver family": {Family: 0, Slot: 4, Name: []byte("epoch")},
	} {
		s := open(t, d, 4, 8)
		if _, err := s.Get(bg, outside); err == nil || err == store.ErrNotFound {
			t.Fatalf("%s: get returned %v", name, err)
		}
		if err := s.Scan(bg, outside, outside, func(store.Entry) bool { return true }); err == nil {
			t.Fatalf("%s: scan succeeded", name)
		}
		wantErr(t, name, commit(s, puts(key(4, "a"), "1", outside, "1")), store.ErrNotDone)
		s = open(t, d, 4, 8)
		wantMissing(t, s, key(4, "a"))
	}
	s := open(t, d, 4, 8)
	if err := s.Scan(bg, key(4, ""), key(8, "a"), func(store.Entry) bool { return true }); err == nil {
		t.Fatalf("scan past the shard's end succeeded")
	}
	for _, slots := range []store.SlotRange{{From: 4, To: 4}, {From: 5, To: 4}, {From: 0, To: store.SystemSlot + 2}} {
		if _, err := d.Open(bg, slots); err == nil {
			t.Fatalf("open of slots [%d, %d) succeeded", slots.From, slots.To)
		}
	}
	system := open(t, d, store.SystemSlot, store.SystemSlot+1)
	mustCommit(t, system, puts(key(store.SystemSlot, "a"), "1"))
	wantLines(t, all(t, system), `3/4096/"a"=1`)
}
