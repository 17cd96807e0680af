package storetest

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"

	"github.com/perdure/perdure/store"
)

// testCrash cuts the power while two shards commit, and then checks of each:
// everything acknowledged is there, what is there is a prefix of what was
// committed, and of no batch there is only a part.
func testCrash(t TB, disk Disk) {
	r := rand.New(rand.NewPCG(3, 4))
	base := [2]int{}
	for range 8 {
		d := disk.Open(t)
		shards := [2]store.Shard{open(t, d, 0, 4), open(t, d, 4, 8)}
		for i, s := range shards {
			base[i] = Count(t, s)
		}
		acknowledged, committed := [2]int{}, [2]int{}
		for range 30 {
			i := r.IntN(2)
			committed[i]++
			done := make(chan error, 1)
			shards[i].Commit(Numbered(shards[i], base[i]+committed[i]), func(err error) { done <- err })
			if r.IntN(3) == 0 {
				if err := <-done; err != nil {
					t.Fatalf("commit: %v", err)
				}
				acknowledged[i] = committed[i]
			}
		}
		disk.Crash(t, r)
		d = disk.Open(t)
		for i, slots := range []store.SlotRange{{From: 0, To: 4}, {From: 4, To: 8}} {
			got := Count(t, open(t, d, slots.From, slots.To)) - base[i]
			if got < acknowledged[i] || got > committed[i] {
				t.Fatalf("shard %d: %d batches survived; %d were acknowledged, %d committed", i, got, acknowledged[i], committed[i])
			}
		}
		closeDriver(t, d)
	}
}

// Numbered is batch n (from 1) of a series on a shard of two slots or more,
// made so that Count can tell from what is stored which batches took effect:
// it sets two counters that lie far apart, adds a row, deletes the row before
// and, at times, a range of what was deleted already.
func Numbered(s store.Shard, n int) *store.Batch {
	first, last := s.Slots().From, s.Slots().To-1
	b := &store.Batch{}
	b.Put(key(first, "count"), []byte(strconv.Itoa(n)))
	b.Put(key(last, row(n)), make([]byte, n%700))
	b.Delete(key(last, row(n-1)))
	if n%16 == 0 {
		b.DeleteRange(key(last, row(0)), []byte(row(n-1)))
	}
	b.Put(store.Key{Family: store.FamilyState, Slot: last, Name: []byte("count")}, []byte(strconv.Itoa(n)))
	return b
}

func row(n int) string { return fmt.Sprintf("row %06d", n) }

// Count returns how many of the Numbered batches the shard shows, and fails
// unless they are the first so many, each whole.
func Count(t TB, s store.Shard) int {
	t.Helper()
	first, last := s.Slots().From, s.Slots().To-1
	n, err := number(s, key(first, "count"))
	if err != nil {
		t.Fatalf("count: %v", err)
	}
	other, err := number(s, store.Key{Family: store.FamilyState, Slot: last, Name: []byte("count")})
	if err != nil || n != other {
		t.Fatalf("a batch was torn: the counters are %d and %d, %v", n, other, err)
	}
	rows := list(t, s, key(last, "row"), key(last, "s"))
	if n == 0 && len(rows) == 0 {
		return 0
	}
	want := fmt.Sprintf("%v=%s", key(last, row(n)), make([]byte, n%700))
	if len(rows) != 1 || rows[0] != want {
		t.Fatalf("a batch was torn: the counters are %d, the rows %.200q", n, rows)
	}
	return n
}

func number(s store.Shard, k store.Key) (int, error) {
	value, err := s.Get(bg, k)
	if err == store.ErrNotFound {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(value))
}

// testConcurrent has value under the race detector: shards that commit, are
// read and change owners at the same time.
func testConcurrent(t TB, disk Disk) {
	d := disk.Open(t)
	defer closeDriver(t, d)
	var wg sync.WaitGroup
	for i := range store.Slot(4) {
		s := open(t, d, i*4, i*4+4)
		wg.Go(func() {
			for n := 1; n <= 40; n++ {
				s.Commit(Numbered(s, n), func(err error) {
					if err != nil {
						t.Errorf("commit: %v", err)
					}
				})
			}
			if err := commit(s, &store.Batch{}); err != nil {
				t.Errorf("commit: %v", err)
			}
		})
		wg.Go(func() {
			for last := 0; last < 40; {
				n, err := number(s, key(s.Slots().From, "count"))
				if err != nil || n < last {
					t.Errorf("the count went from %d to %d, %v", last, n, err)
					return
				}
				last = n
			}
		})
		wg.Go(func() {
			for j := range store.Slot(5) {
				other, err := d.Open(bg, store.SlotRange{From: 100 + i*10, To: 100 + i*10 + j + 1})
				if err != nil {
					t.Errorf("open: %v", err)
					return
				}
				defer other.Close()
			}
		})
	}
	wg.Wait()
	for i := range store.Slot(4) {
		if n := Count(t, open(t, d, i*4, i*4+4)); n != 40 {
			t.Errorf("shard %d shows %d batches of 40", i, n)
		}
	}
}
