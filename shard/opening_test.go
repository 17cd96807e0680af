package shard

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// Opening the slots reads what is outstanding and nothing of the executions that
// merely exist: ten times as many of those make no difference to the number of
// rows read, nor to what is in memory then.
func TestOpeningReadsWhatIsOutstanding(t *testing.T) {
	few, inMemory := openingOf(t, 30)
	many, inMemoryOfMany := openingOf(t, 300)
	if few != many || inMemory != inMemoryOfMany {
		t.Errorf("%d rows read and %d deadlines in memory beside 30 idle executions, %d and %d beside 300",
			few, inMemory, many, inMemoryOfMany)
	}
	if few == 0 || few > 5*outstanding {
		t.Errorf("%d rows read for %d executions with something outstanding", few, 2*outstanding)
	}
}

// outstanding is how many executions have a task on offer, and as many a timer
// that is due before the horizon.
const outstanding = 10

func openingOf(t *testing.T, idle int) (rows, deadlines int) {
	w := newWorld(t)
	for i := range idle {
		w.settleDown(inSlots(i, 8), i%3*3*int(time.Hour))
	}
	for i := range outstanding {
		w.settleDown(fmt.Sprint("soon", i), int(time.Minute))
	}
	for i := range outstanding {
		id := fmt.Sprint("offered", i)
		w.do(id, "", startOf(id))
	}
	for _, e := range w.feed.entries {
		w.host.FeedDone([]FeedPosition{{e.Slot, e.Seq}})
	}
	w.advance(2 * time.Second)
	w.evictAll()
	w.crash(func(o *Options) { o.Driver = countingDriver{o.Driver, &rows} })
	return rows, w.host.shards[0].Load().deadlines.queue.Len()
}

// inSlots is the nth of the ids that lie in the first so many slots: of a slot that
// has deadlines, the first that is not asked for is read, too.
func inSlots(n int, slots store.Slot) string {
	for i := 0; ; i++ {
		if id := fmt.Sprint("idle", n, "-", i); record.SlotOf(idOf(id)) < slots {
			return id
		}
	}
}

// settleDown starts a run that waits for a timer, or with 0 for nothing at all.
func (w *world) settleDown(id string, nanos int) {
	w.do(id, "", startOf(id))
	task := w.take().(*workflow.TaskStarted)
	if nanos == 0 {
		w.do(id, "", completeTask(task))
		return
	}
	w.do(id, "", completeTask(task, timerCommand("t", time.Duration(nanos))))
}

// countingDriver counts the rows that are read.
type countingDriver struct {
	store.Driver
	rows *int
}

func (d countingDriver) Open(ctx context.Context, slots store.SlotRange) (store.Shard, error) {
	s, err := d.Driver.Open(ctx, slots)
	return countingShard{s, d.rows}, err
}

type countingShard struct {
	store.Shard
	rows *int
}

func (s countingShard) Get(ctx context.Context, key store.Key) ([]byte, error) {
	*s.rows++
	return s.Shard.Get(ctx, key)
}

func (s countingShard) Scan(ctx context.Context, from, to store.Key, visit func(store.Entry) bool) error {
	return s.Shard.Scan(ctx, from, to, func(e store.Entry) bool {
		*s.rows++
		return visit(e)
	})
}
