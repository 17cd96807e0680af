package workflow_test

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// TestScenarios plays the scripts in engine/testdata: inputs to the machine,
// one a paragraph, and what each of them did. Run it with -rewrite to regenerate
// the results, and read the difference.
//
// The world around the machine is the dumbest possible shell: it applies what a
// step changed, keeps the histories, the tasks on offer in order of their time,
// and the messages under way. The commands are documented in commands below.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "../testdata", func(t *testing.T, path string) {
		w := newWorld(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			w.t = t
			return w.run(d)
		})
	})
}

// namespaceID of every execution in the scenarios.
const namespaceID = "ns-id"

// epoch is when every scenario begins.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// world is a shell reduced to what the machine can see of it.
type world struct {
	t        failer
	now      time.Time
	steps    uint64
	born     int
	limits   *engine.Limits
	ns       *engine.Namespace
	runs     map[engine.RunKey]*workflow.Run
	current  map[string]engine.RunKey
	history  map[engine.RunKey][]*historypb.HistoryEvent
	batches  map[engine.RunKey][][]*historypb.HistoryEvent
	offers   []engine.Task
	messages []engine.Message
	tasks    map[string]*workflow.TaskStarted     // by workflow id
	acts     map[string]*workflow.ActivityStarted // by activity id
	names    map[string]string                    // UUID -> name in the script
	calls    map[string]enumspb.CallbackState     // callbacks that are over, by request id
	out      strings.Builder
	saw      func(*workflow.Change) // if set, shown each change
	base     *workflow.Run          // of the reset under way
}

// failer is what *testing.T and *rapid.T have in common.
type failer interface {
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

func newWorld(t failer) *world {
	return &world{
		t:      t,
		now:    epoch,
		limits: engine.DefaultLimits(),
		ns: &engine.Namespace{ID: namespaceID, Name: "default", Retention: 24 * time.Hour,
			SearchAttributes: map[string]enumspb.IndexedValueType{"CustomerId": enumspb.INDEXED_VALUE_TYPE_KEYWORD},
			BadBinaries:      map[string]bool{"broken": true}},
		runs:    map[engine.RunKey]*workflow.Run{},
		current: map[string]engine.RunKey{},
		history: map[engine.RunKey][]*historypb.HistoryEvent{},
		batches: map[engine.RunKey][][]*historypb.HistoryEvent{},
		tasks:   map[string]*workflow.TaskStarted{},
		acts:    map[string]*workflow.ActivityStarted{},
		names:   map[string]string{},
		calls:   map[string]enumspb.CallbackState{},
	}
}

func (w *world) env() *engine.Env {
	w.steps++
	return &engine.Env{Now: w.now, Fresh: w.fresh(), Namespace: w.ns, Limits: w.limits}
}

func (w *world) fresh() *engine.Fresh {
	var seed [16]byte
	binary.BigEndian.PutUint64(seed[:], w.steps)
	return engine.NewFresh(seed)
}

func id(name string) engine.ID {
	return engine.ID{NamespaceID: namespaceID, Archetype: engine.ArchetypeWorkflow, Name: name}
}

// run carries out one paragraph.
func (w *world) run(d *datadriven.TestData) string {
	w.out.Reset()
	command, ok := commands[d.Cmd]
	if !ok {
		w.t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
	}
	command(w, &args{d})
	return w.naming(w.out.String())
}

func (w *world) printf(format string, args ...any) { fmt.Fprintf(&w.out, format, args...) }

var uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)

// naming replaces random ids by names that are the same each time.
func (w *world) naming(s string) string {
	return uuids.ReplaceAllStringFunc(s, func(u string) string {
		if w.names[u] == "" {
			w.names[u] = fmt.Sprintf("id-%d", len(w.names)+1)
		}
		return w.names[u]
	})
}

// run of a workflow id: the current one, or an older one by "id/run-2"; nil when
// it is gone.
func (w *world) find(name string) *workflow.Run {
	if wid, run, ok := strings.Cut(name, "/"); ok {
		for key, r := range w.runs {
			if key.Name == wid && w.names[key.RunID] == run {
				return r
			}
		}
		return nil
	}
	return w.runs[w.current[name]]
}

// stepID gives an input that concerns an id to the machine.
func (w *world) stepID(name string, in workflow.Input) any {
	reply, _ := w.take(w.runs[w.current[name]], func(env *engine.Env, run *workflow.Run) (*workflow.Result, error) {
		return workflow.StepID(env, id(name), run, in)
	})
	return reply
}

// step gives an input to one run.
func (w *world) step(run *workflow.Run, in workflow.Input) any {
	if run == nil {
		w.printf("refused: NotFound\n")
		return nil
	}
	w.fetch(run, in)
	reply, _ := w.take(run, func(env *engine.Env, run *workflow.Run) (*workflow.Result, error) {
		return workflow.Step(env, run, in)
	})
	return reply
}

// take steps a run twice on the same state, which must give the same result
// and leave the state alone, and then takes the result over.
func (w *world) take(run *workflow.Run, step func(*engine.Env, *workflow.Run) (*workflow.Result, error)) (any, *engine.Refusal) {
	before := fingerprint(run)
	env := w.env()
	first, firstErr := step(env, run)
	env.Fresh = w.fresh()
	second, secondErr := step(env, run)
	if a, b := outcome(first, firstErr), outcome(second, secondErr); a != b {
		w.t.Errorf("the same step gave\n%s\nand\n%s", a, b)
	}
	return w.settle(run, before, second, secondErr)
}

func outcome(res *workflow.Result, err error) string {
	if err != nil {
		return err.Error()
	}
	text := digest([]any{res.Run, res.Reply})
	if res.New != nil {
		text += digest(res.New.Change)
	}
	if res.Base != nil {
		text += digest(res.Base)
	}
	return text
}

// fetch provides what a step needs of the history, and nothing more: as if the
// run had just been loaded.
func (w *world) fetch(run *workflow.Run, in workflow.Input) {
	run.Started, run.Scheduled = nil, nil
	need := workflow.Needs(run, in)
	if need.StartedEvent {
		run.Started = w.history[run.Key][0]
	}
	for eventID := range need.Events {
		if run.Scheduled == nil {
			run.Scheduled = map[int64]*historypb.HistoryEvent{}
		}
		run.Scheduled[eventID] = w.history[run.Key][eventID-1]
	}
}

// settle applies a step's result and prints it.
func (w *world) settle(run *workflow.Run, before string, res *workflow.Result, err error) (any, *engine.Refusal) {
	if err != nil {
		if fingerprint(run) != before {
			w.t.Errorf("an error changed the run: %v", err)
		}
		r, ok := err.(*engine.Refusal)
		if !ok {
			w.t.Fatalf("error %T is no refusal: %v", err, err)
		}
		if r.Kind == engine.KindStale {
			w.printf("dropped: %s\n", r.Message)
		} else {
			w.printf("refused: %s\n", r.Message)
		}
		return nil, r
	}
	if fingerprint(run) != before {
		w.t.Errorf("the step changed the run before it was applied")
	}
	if res.Run == nil && res.New == nil {
		w.printf("nothing changed\n")
	}
	if res.Run != nil {
		run.Apply(res.Run)
		w.commit(run, res.Run)
	}
	if res.Base != nil {
		w.base.Apply(res.Base)
		w.commit(w.base, res.Base)
	}
	if res.New != nil {
		key := res.New.Run.Key
		w.born++
		w.names[key.RunID] = fmt.Sprintf("run-%d", w.born)
		w.runs[key] = res.New.Run
		w.current[key.Name] = key
		w.printf("new run %s\n", w.names[key.RunID])
		w.commit(res.New.Run, res.New.Change)
	}
	if r, ok := res.Reply.(*engine.Refusal); ok {
		w.printf("answered: %s\n", r.Message)
		return nil, r
	}
	return res.Reply, nil
}

// commit takes a change into the world: history, offers, messages.
func (w *world) commit(run *workflow.Run, c *workflow.Change) {
	if w.saw != nil {
		w.saw(c)
	}
	w.batches[run.Key] = append(w.batches[run.Key], c.Batches...)
	for _, batch := range c.Batches {
		for _, ev := range batch {
			if want := int64(len(w.history[run.Key])) + 1; ev.EventId != want {
				w.t.Errorf("event id %d, want %d", ev.EventId, want)
			}
			w.history[run.Key] = append(w.history[run.Key], ev)
			w.printf("%s\n", describeEvent(ev))
		}
	}
	for _, key := range sortedKeys(c.Buffered) {
		if ev := c.Buffered[key]; ev != nil {
			w.printf("buffered %s\n", describeEvent(ev))
		}
	}
	for _, t := range c.Withdrawn {
		i := slices.IndexFunc(w.offers, func(o engine.Task) bool { return o == t })
		if i < 0 {
			w.t.Errorf("withdrawn, but never offered: %+v", t)
			continue
		}
		w.offers = slices.Delete(w.offers, i, i+1)
	}
	for _, t := range c.Offers {
		w.offers = append(w.offers, t)
		w.printf("offered: %s\n", describeOffer(t))
	}
	slices.SortStableFunc(w.offers, func(a, b engine.Task) int { return a.Order.Compare(b.Order) })
	for _, m := range c.Messages {
		w.messages = append(w.messages, m)
		w.printf("message: %s\n", describeMessage(m))
	}
	w.called(run, c)
	for _, n := range c.News {
		w.printf("%s\n", describeNews(n))
	}
	if c.Deleted {
		delete(w.runs, run.Key)
		if w.current[run.Key.Name] == run.Key {
			delete(w.current, run.Key.Name)
		}
		w.printf("deleted\n")
	}
	w.checkOffers(run)
	w.checkReplay(run)
}

// checkOffers: what a run says is on offer is what it has offered so far.
func (w *world) checkOffers(run *workflow.Run) {
	var mine []engine.Task
	for _, o := range w.offers {
		if o.Run == run.Key {
			mine = append(mine, o)
		}
	}
	byID := func(a, b engine.Task) int {
		return cmp.Or(cmp.Compare(a.EventID, b.EventID), cmp.Compare(a.Queue.Type, b.Queue.Type))
	}
	says := slices.Clone(run.Offers())
	slices.SortFunc(mine, byID)
	slices.SortFunc(says, byID)
	if !slices.Equal(mine, says) {
		w.t.Errorf("on offer: %+v\nthe run says: %+v", mine, says)
	}
}

// fingerprint is all of a run's state as text, to see that it has not changed.
func fingerprint(run *workflow.Run) string {
	if run == nil {
		return ""
	}
	return digest(run)
}

// digest is a value as text, whatever the order of its maps.
func digest(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(out)
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
