package doctor

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	commonpb "go.temporal.io/api/common/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/config"
	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/server"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/pebblestore"
)

// patient is a copy of the golden folder, opened and closed once by this
// release, with an activity that stands alone and an index.
type patient struct {
	t   *testing.T
	dir string
	db  *pebble.DB // while it is being harmed
}

func newPatient(t *testing.T) *patient {
	t.Helper()
	p := &patient{t: t, dir: filepath.Join(t.TempDir(), "data")}
	p.must(os.CopyFS(p.dir, os.DirFS("../server/testdata/folder-2")))
	c := config.Embedded()
	c.Data, c.Shards = p.dir, 1
	s, err := server.Start(t.Context(), server.Options{Config: &c})
	p.must(err)
	conn, err := grpc.NewClient(s.Target(), s.DialOptions()...)
	p.must(err)
	api := workflowservice.NewWorkflowServiceClient(conn)
	_, err = api.StartActivityExecution(t.Context(), &workflowservice.StartActivityExecutionRequest{
		Namespace: "default", ActivityId: "alone", ActivityType: &commonpb.ActivityType{Name: "alone"}, RequestId: "request",
		TaskQueue: &taskqueuepb.TaskQueue{Name: "alone"}, StartToCloseTimeout: durationpb.New(time.Hour),
	})
	p.must(err)
	_, err = api.ListWorkflowExecutions(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: "default"})
	p.must(err)
	p.must(conn.Close())
	p.must(s.Stop(context.WithoutCancel(t.Context())))
	return p
}

func (p *patient) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// copied is another patient like this one.
func (p *patient) copied(t *testing.T) *patient {
	t.Helper()
	c := &patient{t: t, dir: filepath.Join(t.TempDir(), "data")}
	c.must(os.CopyFS(c.dir, os.DirFS(p.dir)))
	return c
}

// operate runs with the database open.
func (p *patient) operate(harm func(*patient)) {
	p.t.Helper()
	var err error
	p.db, err = pebble.Open(filepath.Join(p.dir, "store", "db"), &pebble.Options{Logger: quiet{}})
	p.must(err)
	harm(p)
	p.must(p.db.Close())
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) {}

func raw(k store.Key) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{byte(k.Family)}, uint16(k.Slot)), k.Name...)
}

func parse(b []byte) store.Key {
	return store.Key{Family: store.Family(b[0]), Slot: store.Slot(binary.BigEndian.Uint16(b[1:])), Name: bytes.Clone(b[3:])}
}

func (p *patient) put(k store.Key, value []byte) {
	p.t.Helper()
	p.must(p.db.Set(raw(k), value, pebble.Sync))
}
func (p *patient) remove(k store.Key) { p.t.Helper(); p.must(p.db.Delete(raw(k), pebble.Sync)) }

// write carries out what record would have written.
func (p *patient) write(b *store.Batch) {
	p.t.Helper()
	for _, op := range b.Ops {
		if op.Value == nil {
			p.remove(op.Key)
			continue
		}
		p.put(op.Key, op.Value)
	}
}

// rows are those of a family that have the text in their name.
func (p *patient) rows(family store.Family, text string) (found []store.Entry) {
	p.t.Helper()
	it, err := p.db.NewIter(&pebble.IterOptions{LowerBound: []byte{byte(family)}, UpperBound: []byte{byte(family) + 1}})
	p.must(err)
	for it.First(); it.Valid(); it.Next() {
		if k := parse(it.Key()); bytes.Contains(k.Name, []byte(text)) {
			found = append(found, store.Entry{Key: k, Value: bytes.Clone(it.Value())})
		}
	}
	p.must(it.Close())
	if len(found) == 0 {
		p.t.Fatalf("no row of family %d has %q in its name", family, text)
	}
	return found
}

// of is the run of a workflow that has one.
func (p *patient) of(id string) *workflow.Run {
	p.t.Helper()
	// An id is followed by its end, which tells it from longer ones.
	key, err := record.ParseStateKey(p.rows(store.FamilyState, id+"\x00\x01")[0].Key)
	p.must(err)
	run, err := record.LoadRun(key.Run, p.own(store.FamilyState, id))
	p.must(err)
	return run
}

// own are the rows of state or history that a workflow with one run has.
func (p *patient) own(family store.Family, id string) []store.Entry {
	p.t.Helper()
	begin := p.rows(store.FamilyState, id+"\x00\x01")
	key, err := record.ParseStateKey(begin[0].Key)
	p.must(err)
	from, to := record.StateRows(key.Run)
	prefix, upper := from.Name, to.Name
	rows := slices.DeleteFunc(p.rows(family, string(prefix)), func(e store.Entry) bool {
		return bytes.Compare(e.Key.Name, prefix) < 0 || bytes.Compare(e.Key.Name, upper) >= 0
	})
	if family == store.FamilyState {
		rows = append(begin, rows...)
	}
	return rows
}

func (p *patient) change(run *workflow.Run, c *workflow.Change) {
	p.t.Helper()
	if c.Info == nil {
		c.Info = run.Info
	}
	b := &store.Batch{}
	record.WriteChange(b, run.Key, c)
	p.write(b)
}

// file returns the newest file of the database with the ending.
func (p *patient) file(pattern string) string {
	p.t.Helper()
	found, err := filepath.Glob(filepath.Join(p.dir, "store", "db", pattern))
	if err != nil || len(found) == 0 {
		p.t.Fatalf("no file %s: %v", pattern, err)
	}
	return slices.Max(found)
}

func (p *patient) flip(path string, at int) {
	p.t.Helper()
	content, err := os.ReadFile(path)
	p.must(err)
	content[at] ^= 1
	p.must(os.WriteFile(path, content, 0o600))
}

func (p *patient) query(statement string) {
	p.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(p.dir, "visibility.db"))
	p.must(err)
	_, err = db.Exec(statement)
	p.must(errors.Join(err, db.Close()))
}

// harms plant each kind of finding. The text must be in the place of the finding.
var harms = map[string]struct {
	harm func(*patient)
	at   string
}{
	"store-unreadable": {func(p *patient) { p.flip(p.file("MANIFEST-*"), 20) }, "store"},
	"table-damaged":    {func(p *patient) { p.flip(p.file("*.sst"), 100) }, ".sst"},
	"rows-unreadable":  {func(p *patient) { p.flip(p.file("*.sst"), 100) }, "current"},
	"epoch-damaged": {func(p *patient) {
		p.operate(func(p *patient) { p.put(store.Key{Slot: store.SystemSlot, Name: []byte("epoch")}, make([]byte, 13)) })
	}, "store"},
	"unknown-rows": {func(p *patient) {
		p.operate(func(p *patient) { p.put(store.Key{Family: store.FamilyMeta + 1, Name: []byte("x")}, nil) })
	}, "store"},
	"key-malformed": {func(p *patient) {
		p.operate(func(p *patient) { p.put(store.Key{Family: store.FamilyState, Slot: 3, Name: []byte("x")}, nil) })
	}, "state of slot 3"},
	"value-damaged": {func(p *patient) {
		p.operate(func(p *patient) {
			r := p.rows(store.FamilyCurrent, "started\x00\x01")[0]
			r.Value[3] ^= 1
			p.put(r.Key, r.Value)
		})
	}, `"started"`},
	"later-release": {func(p *patient) {
		p.operate(func(p *patient) {
			r := p.rows(store.FamilyCurrent, "started\x00\x01")[0]
			r.Value[0] = 99
			body := r.Value[:len(r.Value)-4]
			p.put(r.Key, binary.LittleEndian.AppendUint32(body, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))))
		})
	}, `"started"`},
	"wrong-slot": {func(p *patient) {
		p.operate(func(p *patient) {
			r := p.rows(store.FamilyCurrent, "started\x00\x01")[0]
			r.Key.Slot = (r.Key.Slot + 1) % store.Slots
			p.put(r.Key, r.Value)
		})
	}, `"started"`},
	"unknown-kind": {func(p *patient) {
		p.operate(func(p *patient) {
			key := p.of("started").Key
			key.Archetype = 7
			p.put(record.StateKey{Run: key, Part: record.PartStart}.Key(), p.rows(store.FamilyState, "started")[0].Value)
		})
	}, "started"},
	"state-partial": {func(p *patient) {
		p.operate(func(p *patient) {
			p.remove(record.StateKey{Run: p.of("started").Key, Part: record.PartInfo}.Key())
			nobodys := engine.RunKey{ID: p.of("untouched").Key.ID, RunID: "nobody's"}
			p.put(record.StateKey{Run: nobodys, Part: record.PartInfo}.Key(), p.own(store.FamilyState, "untouched")[1].Value)
		})
	}, `"started"`},
	"dangling-run": {func(p *patient) {
		p.operate(func(p *patient) {
			p.put(p.rows(store.FamilyCurrent, "started\x00\x01")[0].Key, record.EncodeCurrent(&record.Current{RunID: "nobody"}))
		})
	}, `"started"`},
	"two-open-runs": {func(p *patient) {
		p.operate(func(p *patient) { p.remove(p.rows(store.FamilyCurrent, "started\x00\x01")[0].Key) })
	}, `"started"`},
	"history-gap": {func(p *patient) {
		p.operate(func(p *patient) { p.remove(p.own(store.FamilyHistory, "started")[1].Key) })
	}, `"started"`},
	"history-end": {func(p *patient) {
		p.operate(func(p *patient) {
			rows := p.own(store.FamilyHistory, "started")
			p.remove(rows[len(rows)-1].Key)
		})
	}, `"started"`},
	"history-orphan": {func(p *patient) {
		p.operate(func(p *patient) {
			for _, r := range p.own(store.FamilyState, "started") {
				p.remove(r.Key)
			}
		})
	}, `"started"`},
	"pending": {func(p *patient) {
		p.operate(func(p *patient) {
			run := p.of("started")
			for id := range run.Activities {
				p.remove(record.StateKey{Run: run.Key, Part: record.PartActivity, Number: id}.Key())
			}
		})
	}, `"started"`},
	"event-mismatch": {func(p *patient) {
		p.operate(func(p *patient) {
			run := p.of("started")
			for id, u := range run.Updates {
				wrong := *u
				wrong.AcceptedEventID++
				p.change(run, &workflow.Change{Updates: map[string]*workflow.Update{id: &wrong}})
			}
		})
	}, `"started"`},
	"deadline-missing": {func(p *patient) {
		p.operate(func(p *patient) { p.remove(p.rows(store.FamilyDeadline, "started\x00\x01")[0].Key) })
	}, `"started"`},
	"deadline-late": {func(p *patient) {
		p.operate(func(p *patient) {
			run := p.of("started")
			late := *run.Info
			late.Armed = run.NextDeadline().Add(time.Hour)
			p.remove(record.DeadlineKey(run.Info.Armed, run.Key))
			p.put(record.DeadlineKey(late.Armed, run.Key), record.DeadlineValue)
			p.change(run, &workflow.Change{Info: &late})
		})
	}, `"started"`},
	"deadline-left": {func(p *patient) {
		p.operate(func(p *patient) {
			p.put(record.DeadlineKey(time.Unix(9, 0), p.of("started").Key), record.DeadlineValue)
		})
	}, `"started"`},
	"task-missing": {func(p *patient) {
		p.operate(func(p *patient) { p.remove(p.rows(store.FamilyTask, "alone")[0].Key) })
	}, `"alone"`},
	"task-left": {func(p *patient) {
		p.operate(func(p *patient) {
			void, err := record.DecodeTask(p.rows(store.FamilyTask, "untouched")[0].Value)
			p.must(err)
			void.Stamp += 100
			p.put(record.TaskKey(void), record.EncodeTask(void))
		})
	}, `"untouched"`},
	"message-missing": {func(p *patient) {
		p.operate(func(p *patient) {
			run := p.of("started")
			for id, c := range run.Children {
				wrong := *c
				wrong.StartedEventID = 0
				p.change(run, &workflow.Change{Children: map[int64]*workflow.Child{id: &wrong}})
			}
		})
	}, `"started"`},
	"message-event": {func(p *patient) {
		p.operate(func(p *patient) {
			m := &engine.Message{Kind: engine.MessageChildClosed, From: p.of("started").Key, EventID: 999, BatchID: 999}
			p.put(record.OutboxKey(record.SlotOf(m.From.ID), 1), record.EncodeMessage(m))
		})
	}, `"started"`},
	"namespace-twice": {func(p *patient) {
		p.operate(func(p *patient) {
			r := p.rows(store.FamilyMeta, "namespace")[0]
			p.put(record.MetaKey(store.SystemSlot, "namespace", "another id"), r.Value)
		})
	}, "namespace"},
	"namespace-deleted": {func(p *patient) {
		p.operate(func(p *patient) {
			for _, r := range p.rows(store.FamilyMeta, "namespace") {
				p.remove(r.Key)
			}
		})
	}, `"started"`},
	"index-ahead": {func(p *patient) {
		p.operate(func(p *patient) {
			run := p.of("waiting")
			older := *run.Info
			older.Transitions--
			p.change(run, &workflow.Change{Info: &older})
		})
	}, `"waiting"`},
	"index-missing": {func(p *patient) { p.must(os.Remove(filepath.Join(p.dir, "visibility.db"))) }, "visibility.db"},
	"index-damaged": {func(p *patient) { p.must(os.Truncate(filepath.Join(p.dir, "visibility.db"), 9000)) }, "visibility.db"},
	"index-differs": {func(p *patient) { p.query("DELETE FROM run WHERE workflow_id = 'waiting'") }, `"waiting"`},
}

// TestFindings plants each kind of finding in a folder that is sound: it is
// found, where it was planted, with the exit code of its severity.
func TestFindings(t *testing.T) {
	healthy := newPatient(t)
	before := snapshot(t, healthy.dir)
	r, err := Examine(t.Context(), Options{Data: healthy.dir})
	if err != nil || len(r.Findings) != 0 || r.Workflows.Runs != 7 || r.Activities.Open != 1 || r.IndexRows != 8 {
		t.Fatalf("a folder that is sound: %+v, %v", r, err)
	}
	if r.ExitCode() != ExitSound {
		t.Errorf("its exit code is %d", r.ExitCode())
	}
	if after := snapshot(t, healthy.dir); after != before {
		t.Error("the examination has changed the folder")
	}
	for _, check := range slices.Sorted(maps.Keys(Checks)) {
		t.Run(check, func(t *testing.T) {
			h, ok := harms[check]
			if !ok {
				t.Fatal("nothing plants it")
			}
			p := healthy.copied(t)
			h.harm(p)
			r, err := Examine(t.Context(), Options{Data: p.dir})
			if err != nil {
				t.Fatal(err)
			}
			found := slices.ContainsFunc(r.Findings, func(f Finding) bool {
				return f.Check == check && strings.Contains(f.Where, h.at) && f.Severity == Checks[check].Severity && f.What != ""
			})
			if !found {
				t.Errorf("it was not found at %s, but:\n%+v", h.at, r.Findings)
			}
			want := map[Severity]int{Damage: ExitDamage, Rebuild: ExitRebuild, Note: ExitSound}[Checks[check].Severity]
			if r.ExitCode() < want {
				t.Errorf("exit code %d, want %d", r.ExitCode(), want)
			}
			checkOutput(t, r, check)
		})
	}
}

// checkOutput: a person and a program can read it.
func checkOutput(t *testing.T, r *Report, check string) {
	t.Helper()
	var text, encoded bytes.Buffer
	if err := errors.Join(r.Print(&text), r.JSON(&encoded)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{check, Checks[check].Means, Checks[check].Advice} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report does not say %q:\n%s", want, text.String())
		}
	}
	var back struct {
		Verdict  string
		Findings []Finding
	}
	if err := json.Unmarshal(encoded.Bytes(), &back); err != nil || len(back.Findings) != len(r.Findings) || back.Verdict == "" {
		t.Errorf("as JSON: %+v, %v", back, err)
	}
}

// TestManyFindings: the list is bounded, the count is not.
func TestManyFindings(t *testing.T) {
	r := &Report{Counts: map[string]int{}}
	for range 3 * MaxPerCheck {
		r.find("pending", "somewhere", "something")
	}
	if len(r.Findings) != MaxPerCheck || r.Counts["pending"] != 3*MaxPerCheck {
		t.Errorf("%d findings, %d counted", len(r.Findings), r.Counts["pending"])
	}
	var text bytes.Buffer
	if err := r.Print(&text); err != nil || !strings.Contains(text.String(), "and 200 more of these") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

// TestNotExamined: a folder that is in use, of a newer format, or not there, is
// an error and not a finding.
func TestNotExamined(t *testing.T) {
	if _, err := Examine(t.Context(), Options{Data: filepath.Join(t.TempDir(), "nowhere")}); !errors.Is(err, pebblestore.ErrNoDatabase) {
		t.Errorf("a folder that is not there: %v", err)
	}
	dir := t.TempDir()
	d, err := pebblestore.Open(pebblestore.Options{Dir: filepath.Join(dir, "store")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Examine(t.Context(), Options{Data: dir}); !errors.Is(err, pebblestore.ErrInUse) || !strings.Contains(err.Error(), "stop the server first") {
		t.Errorf("a folder that is in use: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "store", "db", "FORMAT"), []byte("perdure store 99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Examine(t.Context(), Options{Data: dir}); !errors.Is(err, pebblestore.ErrNewerFormat) {
		t.Errorf("a folder of a newer format: %v", err)
	}
}

// TestChecksAreDocumented: docs/doctor.md has a row for each kind of finding.
func TestChecksAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range Checks {
		if !strings.Contains(string(page), "| `"+name+"` | "+string(c.Severity)+" |") {
			t.Errorf("docs/doctor.md has no row for %s of severity %s", name, c.Severity)
		}
		if c.Means == "" || c.Advice == "" {
			t.Errorf("%s does not say what it means or what to do", name)
		}
	}
}

func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		b.WriteString(path + "=" + string(content) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
