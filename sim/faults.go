package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

// faults are what goes wrong: how often, as "one in n", and how often it did.
// Every world draws its own mixture, so that some live long without crashes and
// others hardly at all.
type faults struct {
	schedule *schedule
	rates    map[string]int
	counts   map[string]int
	// crashEvery is the mean time between crashes; 0 never.
	crashEvery time.Duration
	earlyReads bool
}

// The faults.
const (
	faultCrash         = "crash"
	faultUnknownCommit = "commit of unknown outcome"
	faultFailedCommit  = "commit not done"
	faultSlowCommit    = "slow commit"
	faultSlowWork      = "slow turn"
	faultSlowRead      = "slow read"
	faultLostRequest   = "request lost"
	faultLostReply     = "reply lost"
	faultPollGone      = "poller gone while waiting"
	faultHandoverGone  = "poller gone at the hand-over"
	faultWorkerSilent  = "worker took a task and vanished"
	faultWorkerLate    = "worker answers late"
	faultWorkerTwice   = "worker answers twice"
	faultWorkerWrong   = "worker answers with an outdated token"
	faultWorkerFails   = "worker fails a workflow task"
	faultReadError     = "read fails"
	faultClockForward  = "clock jumps forward"
	faultClockBack     = "clock jumps back"
	faultDiskFull      = "disk full for a while"
	faultDiskFails     = "disk fails for good, the server ends"
	faultLongOutage    = "server down for minutes"
	faultCleanStop     = "clean stop"

	faultCrashBefore  = "crash while a batch is being synced"
	faultCrashBetween = "crash after a sync, before anybody is told"
	faultCrashAfter   = "crash while callers are being told"
	faultUnsynced     = "batch not yet synced is lost in a crash"
	faultTorn         = "batch torn by a crash"
	faultTakeover     = "another owner takes the shards over"
	faultFenced       = "write of a former owner refused"
	faultRequestLate  = "request delayed, overtaken by later ones"
	faultReplyLate    = "reply delayed, overtaken by later ones"
	faultRequestTwice = "request comes twice"
	faultMessageLate  = "message between executions delayed, overtaken by later ones"
	faultMessageAgain = "message between executions comes again"
	faultEmptyCache   = "everything leaves memory"
	faultWorkerType   = "worker answers with a token of the wrong type"

	faultCallbackBlocked = "callback held back"
	faultCallbackUnheard = "report of a callback lost"
)

// observed are faults that are not drawn: they follow from others, and are counted
// where they are seen.
var observed = []string{faultCrash, faultUnsynced, faultTorn, faultFenced, faultSlowRead}

// everyFault names all that is counted.
func everyFault() []string { return append(slices.Clone(observed), sortedKeys(usual)...) }

// usual rates, one in so many.
var usual = map[string]int{
	faultUnknownCommit: 2000, faultFailedCommit: 2000, faultSlowCommit: 20, faultSlowWork: 100,
	faultLostRequest: 100, faultLostReply: 100, faultPollGone: 10, faultHandoverGone: 30,
	faultWorkerSilent: 40, faultWorkerLate: 40, faultWorkerTwice: 20, faultWorkerWrong: 40,
	faultWorkerFails: 30, faultReadError: 3000, faultClockForward: 10, faultClockBack: 10,
	faultCrashBefore: 1500, faultCrashBetween: 1500, faultCrashAfter: 1500, faultTakeover: 4,
	faultRequestLate: 50, faultReplyLate: 50, faultRequestTwice: 50, faultMessageLate: 20, faultMessageAgain: 30,
	faultEmptyCache: 200, faultWorkerType: 40,
	faultDiskFull: 20, faultDiskFails: 20, faultLongOutage: 10, faultCleanStop: 5,
	faultCallbackBlocked: 10, faultCallbackUnheard: 10,
}

func drawFaults(s *schedule) faults {
	f := faults{schedule: s, rates: map[string]int{}, counts: map[string]int{}}
	for _, name := range sortedKeys(usual) {
		switch s.chance.IntN(4) {
		case 0: // never, in this world
		case 1:
			f.rates[name] = max(usual[name]/5, 2)
		default:
			f.rates[name] = usual[name]
		}
	}
	if !s.oneIn(4) {
		f.crashEvery = s.between(2*time.Second, 60*time.Second)
	}
	f.earlyReads = s.oneIn(2)
	return f
}

// strikes decides whether a fault happens now, and counts it.
func (w *world) strikes(name string) bool {
	if !w.draws(name) {
		return false
	}
	w.faults.counts[name]++
	return true
}

// draws is strikes for who counts where it shows what came of it.
func (w *world) draws(name string) bool { return !w.healed && w.oneIn(w.faults.rates[name]) }

// table lists how often each fault really happened.
func (f *faults) table() string {
	var b strings.Builder
	for _, name := range slices.Sorted(slices.Values(everyFault())) {
		fmt.Fprintf(&b, "%8d  %s\n", f.counts[name], name)
	}
	return b.String()
}

// commitFault decides what becomes of a batch.
func (w *world) commitFault(store.Shard, *store.Batch) memstore.CommitFault {
	delay := w.between(100*time.Microsecond, 2*time.Millisecond)
	if w.strikes(faultSlowCommit) {
		delay = w.between(2*time.Millisecond, 300*time.Millisecond)
	}
	w.crashInFlight(delay)
	w.emptyCache(delay)
	switch {
	case w.strikes(faultUnknownCommit):
		fate := []memstore.Fate{memstore.Lost, memstore.Applied, memstore.AppliedLate}[w.chance.IntN(3)]
		w.say("a commit ends in an unknown outcome")
		w.trouble = w.now.Add(delay)
		return memstore.CommitFault{Delay: delay, Err: store.ErrUnknown, Fate: fate}
	case w.strikes(faultFailedCommit):
		w.say("a commit fails")
		w.trouble = w.now.Add(delay)
		return memstore.CommitFault{Delay: delay, Err: store.ErrNotDone}
	}
	return memstore.CommitFault{Delay: delay}
}

var errRead = errors.New("injected read error")

func (w *world) readFault(key store.Key) memstore.ReadFault {
	w.reads++
	if key.Family == store.FamilyDeadline && !w.oneIn(3) {
		return memstore.ReadFault{} // one look at them is a read for each slot that has any
	}
	if w.process != nil && w.strikes(faultReadError) {
		return memstore.ReadFault{Err: errRead}
	}
	return memstore.ReadFault{}
}

// emptyCache has everything leave memory that can, while a batch is under way.
func (w *world) emptyCache(delay time.Duration) {
	if p := w.process; p != nil && w.strikes(faultEmptyCache) {
		w.after(w.between(0, 2*delay), p.living(p.host.Shrink))
	}
}

// crashes lets the server crash from time to time.
func (w *world) crashes() {
	if w.faults.crashEvery == 0 {
		return
	}
	w.after(w.sometime(w.between(0, 2*w.faults.crashEvery)), func() {
		if w.healed {
			return
		}
		if w.process != nil {
			w.disaster()
		}
		w.crashes()
	})
}

// disaster is a crash, or one of its kin.
func (w *world) disaster() {
	p := w.process
	switch {
	case w.strikes(faultDiskFull):
		w.say("the disk is full")
		p.driver.SetFull(true)
		w.after(w.between(100*time.Millisecond, 5*time.Second), func() {
			w.say("the disk has room again")
			w.trouble = w.now
			p.driver.SetFull(false)
		})
		return
	case w.strikes(faultDiskFails):
		w.say("the disk fails for good")
		p.driver.Fail(errDisk)
		// Fatal tells the server's owner to end it; until then it may do anything
		// but acknowledge.
		w.after(w.between(0, 100*time.Millisecond), p.living(w.crash))
	case !p.stopping && !p.driver.Full() && p.driver.Err() == nil && w.strikes(faultTakeover):
		w.takeOver()
		return
	case w.strikes(faultCleanStop):
		w.stop()
		return
	default:
		w.faults.counts[faultCrash]++
		w.crash()
	}
	w.rise()
}

// rise starts the server again after a while.
func (w *world) rise() {
	down := w.between(time.Millisecond, 5*time.Second)
	if w.strikes(faultLongOutage) {
		down = w.between(time.Minute, 10*time.Minute)
	}
	w.after(down+100*time.Millisecond, func() {
		if w.process == nil {
			w.boot()
		}
	})
}

var errDisk = errors.New("injected failure of the disk")
