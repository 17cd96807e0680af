package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/perdure/perdure/store"
)

// outcome collects what the done functions of many commits say.
type outcome struct {
	errs  chan error
	n     int
	busy  atomic.Bool
	wrong atomic.Pointer[string]
	next  atomic.Int64
}

func newOutcome(n int) *outcome { return &outcome{errs: make(chan error, n)} }

// commit adds a batch; its done function checks its place in the order.
func (o *outcome) commit(s store.Shard, b *store.Batch) {
	place := int64(o.n)
	o.n++
	s.Commit(b, func(err error) {
		if !o.busy.CompareAndSwap(false, true) {
			o.blame("two done functions ran at the same time")
		}
		if got := o.next.Add(1) - 1; got != place {
			o.blame(fmt.Sprintf("done function %d was called as number %d", place, got))
		}
		o.busy.Store(false)
		o.errs <- err
	})
}

func (o *outcome) blame(text string) { o.wrong.CompareAndSwap(nil, &text) }

// wait returns the outcomes of all commits, in order.
func (o *outcome) wait(t TB) []error {
	t.Helper()
	errs := make([]error, o.n)
	for i := range errs {
		errs[i] = <-o.errs
	}
	if text := o.wrong.Load(); text != nil {
		t.Fatalf("%s", *text)
	}
	return errs
}

// What is durable does not change when the caller puts other operations into the
// list it came in: neither at once nor after a crash.
func testListUsedAgain(t TB, disk Disk) {
	d := disk.Open(t)
	s := open(t, d, 0, 1)
	b := &store.Batch{}
	const n = 20
	for i := range n {
		b.Put(key(0, fmt.Sprint("k", i)), []byte(fmt.Sprint("v", i)))
		mustCommit(t, s, b)
		clear(b.Ops)
		*b = store.Batch{Ops: b.Ops[:0]}
	}
	check := func() {
		t.Helper()
		for i := range n {
			wantValue(t, s, key(0, fmt.Sprint("k", i)), fmt.Sprint("v", i))
		}
	}
	check()
	disk.Crash(t, rand.New(rand.NewPCG(1, 2)))
	d = disk.Open(t)
	defer closeDriver(t, d)
	s = open(t, d, 0, 1)
	check()
}

func testDoneOrder(t TB, disk Disk) {
	d := disk.Open(t)
	defer closeDriver(t, d)
	s := open(t, d, 0, 1)
	const n = 500
	o := newOutcome(n)
	for i := range n {
		b := puts(key(0, "last"), fmt.Sprint(i), key(0, fmt.Sprintf("n%03d", i)), "")
		if i%7 == 3 {
			b = &store.Batch{}
		}
		o.commit(s, b)
	}
	for i, err := range o.wait(t) {
		if err != nil {
			t.Fatalf("commit %d: %v", i, err)
		}
	}
	wantValue(t, s, key(0, "last"), "499")

	// Commit must not call done itself: the caller may hold a lock that done takes.
	var lock sync.Mutex
	done := make(chan struct{})
	lock.Lock()
	//lint:ignore SA2001 taking the lock is the point
	s.Commit(&store.Batch{}, func(error) { lock.Lock(); lock.Unlock(); close(done) })
	lock.Unlock()
	<-done
}

func testBarrier(t TB, disk Disk) {
	d := disk.Open(t)
	defer closeDriver(t, d)
	s := open(t, d, 0, 1)
	mustCommit(t, s, &store.Batch{})
	for i := range 20 {
		s.Commit(puts(key(0, "a"), fmt.Sprint(i)), func(error) {})
		mustCommit(t, s, &store.Batch{})
		wantValue(t, s, key(0, "a"), fmt.Sprint(i))
	}
}

func testFenced(t TB, disk Disk) {
	d := disk.Open(t)
	defer closeDriver(t, d)
	for name, next := range map[string]store.SlotRange{
		"the same slots": {From: 4, To: 8}, "one of the slots": {From: 7, To: 8}, "more slots": {From: 0, To: 100},
	} {
		former := open(t, d, 4, 8)
		mustCommit(t, former, puts(key(7, "a"), "former"))
		owner := open(t, d, next.From, next.To)
		if owner.Epoch() <= former.Epoch() {
			t.Fatalf("%s: epoch %d follows %d", name, owner.Epoch(), former.Epoch())
		}
		o := newOutcome(3)
		for range 3 {
			o.commit(former, puts(key(7, "a"), "fenced"))
		}
		for _, err := range o.wait(t) {
			wantErr(t, name, err, store.ErrFenced)
		}
		wantValue(t, owner, key(7, "a"), "former")
		mustCommit(t, owner, puts(key(7, "a"), "owner"))
		wantErr(t, name, commit(former, puts(key(7, "a"), "fenced")), store.ErrFenced)
		wantErr(t, name+", an empty batch", commit(former, &store.Batch{}), store.ErrFenced)
		wantValue(t, owner, key(7, "a"), "owner")
		if err := former.Close(); err != nil {
			t.Fatalf("%s: close a fenced shard: %v", name, err)
		}
		wantValue(t, owner, key(7, "a"), "owner")
		mustCommit(t, owner, puts(key(7, "a"), "owner still"))
		if err := owner.Close(); err != nil {
			t.Fatalf("%s: close the owner: %v", name, err)
		}
	}
}

func testFencedInFlight(t TB, disk Disk) {
	d := disk.Open(t)
	defer closeDriver(t, d)
	for range 20 {
		former := open(t, d, 0, 8)
		mustCommit(t, former, puts(key(5, "n"), "0"))
		const n = 10
		o := newOutcome(n)
		for i := range n {
			o.commit(former, puts(key(5, "n"), fmt.Sprint(i+1)))
		}
		owner := open(t, d, 5, 6)
		seen, err := owner.Get(bg, key(5, "n"))
		if err != nil {
			t.Fatalf("get: %v", err)
		}
		done := 0
		for i, err := range o.wait(t) {
			switch {
			case err == nil && done == i:
				done++
			case !errors.Is(err, store.ErrFenced):
				t.Fatalf("commit %d of a fenced owner, after %d that were done: %v", i, done, err)
			}
		}
		if want := fmt.Sprint(done); string(seen) != want {
			t.Fatalf("%s batches of the former owner were durable, the next owner saw %s", want, seen)
		}
		wantValue(t, owner, key(5, "n"), fmt.Sprint(done))
		_ = former.Close()
	}
}

func testDisjoint(t TB, disk Disk) {
	d := disk.Open(t)
	defer closeDriver(t, d)
	left, middle, right := open(t, d, 0, 4), open(t, d, 4, 8), open(t, d, 8, 12)
	open(t, d, 4, 8)
	mustCommit(t, left, puts(key(3, "a"), "1"))
	mustCommit(t, right, puts(key(8, "a"), "1"))
	wantErr(t, "the one in the middle", commit(middle, puts(key(4, "a"), "1")), store.ErrFenced)
}

func testEpochs(t TB, disk Disk) {
	r := rand.New(rand.NewPCG(1, 2))
	last := uint64(0)
	for round := range 6 {
		d := disk.Open(t)
		for range 3 {
			s := open(t, d, store.Slot(round), 100)
			if s.Epoch() <= last {
				t.Fatalf("round %d: epoch %d follows %d", round, s.Epoch(), last)
			}
			last = s.Epoch()
		}
		if round%2 == 0 {
			disk.Crash(t, r)
		} else {
			closeDriver(t, d)
		}
	}
}

func testClosedShard(t TB, disk Disk) {
	d := disk.Open(t)
	defer closeDriver(t, d)
	s := open(t, d, 0, 4)
	mustCommit(t, s, puts(key(0, "a"), "1"))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	o := newOutcome(3)
	for range 3 {
		o.commit(s, puts(key(0, "a"), "2"))
	}
	for _, err := range o.wait(t) {
		wantErr(t, "commit to a closed shard", err, store.ErrClosed)
	}
	_, err := s.Get(bg, key(0, "a"))
	wantErr(t, "get from a closed shard", err, store.ErrClosed)
	err = s.Scan(bg, key(0, ""), key(1, ""), func(store.Entry) bool { return true })
	wantErr(t, "scan of a closed shard", err, store.ErrClosed)
	next := open(t, d, 0, 4)
	wantValue(t, next, key(0, "a"), "1")
	if err := s.Close(); err != nil { // must not touch the next owner
		t.Fatalf("close: %v", err)
	}
	mustCommit(t, next, puts(key(0, "a"), "3"))
}

func testClosedDriver(t TB, disk Disk) {
	d := disk.Open(t)
	s := open(t, d, 0, 4)
	closeDriver(t, d)
	closeDriver(t, d)
	_, err := d.Open(bg, store.SlotRange{From: 0, To: 4})
	wantErr(t, "open", err, store.ErrClosed)
	wantErr(t, "commit", commit(s, puts(key(0, "a"), "1")), store.ErrClosed)
	_, err = s.Get(bg, key(0, "a"))
	wantErr(t, "get", err, store.ErrClosed)
	if err := s.Close(); err != nil {
		t.Fatalf("close of a shard after its driver: %v", err)
	}
	select {
	case <-d.Fatal():
		t.Fatalf("closing counts as fatal: %v", d.Err())
	default:
	}
}

func testCloseInFlight(t TB, disk Disk) {
	for _, wholeDriver := range []bool{false, true} {
		d := disk.Open(t)
		s := open(t, d, 0, 4)
		mustCommit(t, s, puts(key(0, "n"), "0"))
		const n = 20
		o := newOutcome(n)
		for i := range n {
			o.commit(s, puts(key(0, "n"), fmt.Sprint(i+1)))
		}
		if !wholeDriver {
			if err := s.Close(); err != nil {
				t.Fatalf("close: %v", err)
			}
			if got := o.next.Load(); got != n {
				t.Fatalf("close returned when %d of %d done functions had been called", got, n)
			}
		}
		closeDriver(t, d)
		done := 0
		for i, err := range o.wait(t) {
			if err == nil && done == i {
				done++
				continue
			}
			wantErr(t, "commit in flight at close", err, store.ErrClosed)
		}
		d = disk.Open(t)
		wantValue(t, open(t, d, 0, 4), key(0, "n"), fmt.Sprint(done))
		closeDriver(t, d)
	}
}

func testFull(t TB, disk Disk) {
	d := disk.Open(t)
	defer closeDriver(t, d)
	s := open(t, d, 0, 4)
	mustCommit(t, s, puts(key(0, "a"), "1", key(0, "b"), "1"))
	if d.Full() {
		t.Fatalf("the disk is full from the start")
	}
	disk.Fill(true)
	if !d.Full() {
		t.Fatalf("a full disk is not noticed")
	}
	shrink := &store.Batch{}
	shrink.Delete(key(0, "a"))
	mustCommit(t, s, shrink)
	wantErr(t, "commit to a full disk", commit(s, puts(key(0, "c"), "1")), store.ErrFull)
	wantErr(t, "commit behind it", commit(s, &store.Batch{}), store.ErrNotDone)
	wantLines(t, all(t, s), `3/0/"b"=1`)

	disk.Fill(false)
	if d.Full() {
		t.Fatalf("new room is not noticed")
	}
	s = open(t, d, 0, 4)
	mustCommit(t, s, puts(key(0, "c"), "1"))
}

func testAfterFailure(t TB, disk Disk) {
	d := disk.Open(t)
	defer closeDriver(t, d)
	s := open(t, d, 0, 4)
	o := newOutcome(4)
	o.commit(s, puts(key(0, "a"), "1"))
	o.commit(s, puts(key(0, "b"), "1", key(9, "outside"), "1"))
	o.commit(s, puts(key(0, "c"), "1"))
	o.commit(s, &store.Batch{})
	for i, err := range o.wait(t) {
		if i == 0 && err != nil {
			t.Fatalf("the batch before the one that fails: %v", err)
		}
		if i > 0 {
			wantErr(t, fmt.Sprintf("batch %d", i), err, store.ErrNotDone)
		}
	}
	wantErr(t, "a later batch", commit(s, puts(key(0, "d"), "1")), store.ErrNotDone)
	wantLines(t, all(t, s), `3/0/"a"=1`)
	s = open(t, d, 0, 4)
	mustCommit(t, s, puts(key(0, "d"), "1"))
}
