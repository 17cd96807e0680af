package pebblestore_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/pebblestore"
)

// trace is what was done to the disk, a line each; runs of the same line are one.
type trace struct {
	sync.Mutex
	lines []string
}

func (tr *trace) add(line string) {
	tr.Lock()
	defer tr.Unlock()
	if n := len(tr.lines); n == 0 || tr.lines[n-1] != line {
		tr.lines = append(tr.lines, line)
	}
}

func (tr *trace) take() string {
	tr.Lock()
	defer tr.Unlock()
	lines := tr.lines
	tr.lines = nil
	return strings.Join(append(lines, ""), "\n")
}

var traced = map[errorfs.OpKind]string{
	errorfs.OpCreate: "create", errorfs.OpRename: "rename", errorfs.OpRemove: "remove", errorfs.OpReuseForWrite: "reuse",
	errorfs.OpFileWrite: "write", errorfs.OpFileSync: "sync", errorfs.OpFileSyncData: "sync", errorfs.OpFileSyncTo: "sync",
}

// TestOrderOfSyncs prints the order of writes and syncs of a simple workload
// into a golden file. Run with -rewrite to write it anew, and read the diff.
func TestOrderOfSyncs(t *testing.T) {
	tr := &trace{}
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		// Pebble removes what is obsolete in the background, at any time.
		background := op.Kind == errorfs.OpRemove && strings.Contains(op.Path, "/db")
		if name, ok := traced[op.Kind]; ok && !background {
			tr.add(name + " " + op.Path)
		}
		return nil
	}))
	var d *pebblestore.Driver
	var s store.Shard
	datadriven.RunTest(t, "testdata/syncs.txt", func(t *testing.T, cmd *datadriven.TestData) string {
		switch cmd.Cmd {
		case "open":
			d = mustOpen(t, pebblestore.Options{Dir: "/data", FS: fs, ProcessID: 1, MarkAfter: -1})
		case "shard":
			s = mustOpenShard(t, d)
		case "commit":
			tr.add(fmt.Sprint("outcome ", commit(s, traceBatch(cmd))))
		case "close":
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("unknown command %s", cmd.Cmd)
		}
		return tr.take()
	})
}

// traceBatch is the batch that a commit command names: key=value or del key.
func traceBatch(cmd *datadriven.TestData) *store.Batch {
	b := &store.Batch{}
	for i, arg := range cmd.CmdArgs {
		k := store.Key{Family: store.FamilyState, Name: []byte(arg.Key)}
		switch {
		case len(arg.Vals) == 1:
			b.Put(k, []byte(arg.Vals[0]))
		case i > 0:
			b.Delete(k)
		}
	}
	return b
}
