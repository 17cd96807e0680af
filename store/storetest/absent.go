package storetest

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/perdure/perdure/store"
)

// current is a key of the family that drivers are asked for most with Absent.
func current(slot store.Slot, n int) store.Key {
	return store.Key{Family: store.FamilyCurrent, Slot: slot, Name: fmt.Appendf(nil, "workflow-%d", n)}
}

// testAbsent: what Absent says of a key is what Get finds, for those who write and
// for the owners after them, of this and the next process. It may always be silent.
func testAbsent(t TB, disk Disk) {
	d := disk.Open(t)
	there := map[int]bool{}
	check := func(s store.Shard) {
		t.Helper()
		for n := range 40 {
			switch {
			case !there[n]:
				wantMissing(t, s, current(1, n))
			case s.Absent(current(1, n)):
				t.Fatalf("%v is stored, and said to be absent", current(1, n))
			}
		}
	}
	s := open(t, d, 0, 4)
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 30 {
		b := &store.Batch{}
		for range 5 {
			if n := r.IntN(40); there[n] && r.IntN(2) == 0 {
				b.Delete(current(1, n))
				delete(there, n)
			} else {
				b.Put(current(1, n), []byte("run"))
				there[n] = true
			}
		}
		mustCommit(t, s, b)
		check(s)
		switch {
		case round%10 == 9:
			closeDriver(t, d)
			d = disk.Open(t)
			s = open(t, d, 0, 4)
			check(s)
		case round%5 == 4:
			former := s
			s = open(t, d, 0, 2)
			check(s)
			check(former) // who does not know yet that it is fenced
		}
	}
	if s.Absent(current(4, 0)) || s.Absent(store.Key{Slot: 1, Name: []byte("epoch")}) {
		t.Fatalf("a key outside the shard is said to be absent")
	}
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	if s.Absent(current(1, 41)) {
		t.Fatalf("a closed shard knows what is absent")
	}
	closeDriver(t, d)
	if s.Absent(current(1, 41)) {
		t.Fatalf("a closed driver knows what is absent")
	}
}

// testAbsentBeside: shards commit and ask at the same time. What is durable is not
// absent, and stays so while others write.
func testAbsentBeside(t TB, disk Disk) {
	d := disk.Open(t)
	defer closeDriver(t, d)
	var wg sync.WaitGroup
	for i := range store.Slot(3) {
		s := open(t, d, i, i+1)
		wg.Go(func() {
			var asking sync.WaitGroup
			defer asking.Wait()
			for n := range 300 {
				b := &store.Batch{}
				b.Put(current(i, n), []byte("run"))
				if err := commit(s, b); err != nil {
					t.Errorf("commit: %v", err)
					return
				}
				asking.Go(func() {
					if s.Absent(current(i, n)) {
						t.Errorf("%v is durable, and said to be absent", current(i, n))
					}
				})
				if s.Absent(current(i, n/2)) {
					t.Errorf("%v was durable before, and is said to be absent", current(i, n/2))
				}
			}
		})
	}
	wg.Wait()
}
