package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/perdure/perdure/store"
)

// model is the dumb twin of a disk: for each of two shards the states it went
// through since the last one known to be durable, each a plain map.
type model struct {
	t      *rapid.T
	disk   Disk
	driver store.Driver
	shards [2]*modelShard
}

type modelShard struct {
	store.Shard
	states  []map[string]string // [0] is durable; the others are in flight
	waiting []chan error        // for states[1:]
}

var modelRanges = [2]store.SlotRange{{From: 0, To: 2}, {From: 2, To: 4}}

// testModel runs random operations on the driver and the model, and compares.
func testModel(t *testing.T, newDisk func() Disk) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{t: t, disk: newDisk()}
		for i := range m.shards {
			m.shards[i] = &modelShard{states: []map[string]string{{}}}
		}
		m.start()
		t.Repeat(map[string]func(*rapid.T){
			"commit": m.commit, "await": m.await, "get": m.get, "scan": m.scan,
			"reopen a shard": m.reopenShard, "reopen the driver": m.reopen, "crash": m.crash,
		})
		closeDriver(t, m.driver)
	})
}

// start opens the driver and sees which of the possible states each shard has.
func (m *model) start() {
	m.driver = m.disk.Open(m.t)
	for i, s := range m.shards {
		s.Shard = open(m.t, m.driver, modelRanges[i].From, modelRanges[i].To)
		s.settleOn(m.t)
	}
}

// settleOn makes the state that the store shows the only one.
func (s *modelShard) settleOn(t TB) {
	state, ok := s.match(all(t, s.Shard))
	if !ok {
		t.Fatalf("the store shows a state it never went through; possible were\n%v\ngot\n%v", s.states, all(t, s.Shard))
	}
	s.states, s.waiting = []map[string]string{state}, nil
}

// match returns the state that a listing shows, if it is a possible one.
func (s *modelShard) match(lines []string) (map[string]string, bool) {
	for _, state := range s.states {
		if slices.Equal(lines, lists(state)) {
			return state, true
		}
	}
	return nil, false
}

func lists(state map[string]string) []string {
	var lines []string
	for k, v := range state {
		lines = append(lines, k+"="+v)
	}
	// Slots have one digit and names are plain letters, so that the order of the texts is that of the keys.
	slices.SortFunc(lines, func(a, b string) int {
		return strings.Compare(strings.TrimSuffix(a[:strings.Index(a, "=")], `"`), strings.TrimSuffix(b[:strings.Index(b, "=")], `"`))
	})
	return lines
}

var (
	drawShard = rapid.IntRange(0, 1)
	drawName  = rapid.StringMatching(`[abc]{0,2}`)
)

func (m *model) draw(t *rapid.T) (*modelShard, store.Key) {
	s := m.shards[drawShard.Draw(t, "shard")]
	slot := s.Slots().From + store.Slot(rapid.IntRange(0, 1).Draw(t, "slot"))
	return s, key(slot, drawName.Draw(t, "name"))
}

func (m *model) commit(t *rapid.T) {
	s, _ := m.draw(t)
	if len(s.waiting) > 6 {
		m.awaitOne(s)
	}
	next := map[string]string{}
	for k, v := range s.states[len(s.states)-1] {
		next[k] = v
	}
	b := &store.Batch{}
	for range rapid.IntRange(0, 4).Draw(t, "operations") {
		k := key(s.Slots().From+store.Slot(rapid.IntRange(0, 1).Draw(t, "slot")), drawName.Draw(t, "name"))
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			b.Delete(k)
			delete(next, k.String())
		case 1:
			until := string(k.Name) + drawName.Draw(t, "until")
			b.DeleteRange(k, []byte(until))
			for name := range next {
				var have string
				prefix := fmt.Sprintf("%d/%d/", k.Family, k.Slot)
				if _, err := fmt.Sscanf(name, prefix+"%q", &have); err == nil && have >= string(k.Name) && have < until {
					delete(next, name)
				}
			}
		default:
			value := fmt.Sprint(rapid.IntRange(0, 99).Draw(t, "value"))
			b.Put(k, []byte(value))
			next[k.String()] = value
		}
	}
	done := make(chan error, 1)
	s.Commit(b, func(err error) { done <- err })
	s.states, s.waiting = append(s.states, next), append(s.waiting, done)
}

func (m *model) await(t *rapid.T) {
	s, _ := m.draw(t)
	for range rapid.IntRange(0, len(s.waiting)).Draw(t, "batches") {
		m.awaitOne(s)
	}
}

func (m *model) awaitOne(s *modelShard) {
	if err := <-s.waiting[0]; err != nil {
		m.t.Fatalf("commit: %v", err)
	}
	s.states, s.waiting = s.states[1:], s.waiting[1:]
}

func (m *model) get(t *rapid.T) {
	s, k := m.draw(t)
	got, err := s.Get(bg, k)
	if err != nil && err != store.ErrNotFound {
		t.Fatalf("get %v: %v", k, err)
	}
	for _, state := range s.states {
		if want, ok := state[k.String()]; ok == (err == nil) && want == string(got) {
			return
		}
	}
	t.Fatalf("get %v: %q, %v; possible states\n%v", k, got, err, s.states)
}

func (m *model) scan(t *rapid.T) {
	s, _ := m.draw(t)
	lines := all(t, s.Shard)
	if _, ok := s.match(lines); !ok {
		t.Fatalf("a scan showed what was never there; possible were\n%v\ngot\n%v", s.states, lines)
	}
}

func (m *model) reopenShard(t *rapid.T) {
	i := drawShard.Draw(t, "shard")
	s := m.shards[i]
	former := s.Shard
	s.Shard = open(t, m.driver, modelRanges[i].From, modelRanges[i].To)
	for _, done := range s.waiting {
		<-done
	}
	s.settleOn(t)
	if err := former.Close(); err != nil {
		t.Fatalf("close a fenced shard: %v", err)
	}
}

func (m *model) reopen(t *rapid.T) {
	closeDriver(t, m.driver)
	for _, s := range m.shards {
		for _, done := range s.waiting {
			if err := <-done; err != nil {
				wantErr(t, "commit in flight at close", err, store.ErrClosed)
			}
		}
	}
	m.start()
}

func (m *model) crash(t *rapid.T) {
	seed := rapid.Uint64().Draw(t, "seed")
	m.disk.Crash(t, rand.New(rand.NewPCG(seed, 0)))
	m.start()
}
