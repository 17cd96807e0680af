package record

import (
	"bytes"
	"fmt"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/store"
)

// In format 1 of the store, all parts of a run's state and its history were named
// by the execution and the run id. A server that meets a folder of that format
// gives these rows their present names before it does anything else; both kinds
// of names can be told apart, so that this can be cut off anywhere.

// Renamed is the present name of a row of the state or history family; was is
// true when the row has another, one of format 1.
func Renamed(key store.Key) (now store.Key, was bool, err error) {
	switch key.Family {
	case store.FamilyState:
		k, err := ParseStateKey(key)
		if err != nil || k.Run.ID == (engine.ID{}) {
			return key, false, err
		}
		now = k.Key()
	case store.FamilyHistory:
		run, first, err := ParseHistoryKey(key)
		if err != nil || run.ID == (engine.ID{}) {
			return key, false, err
		}
		now = HistoryKey(run, first)
	default:
		return key, false, fmt.Errorf("family %d has had no other names", key.Family)
	}
	now.Slot = key.Slot
	return now, !bytes.Equal(now.Name, key.Name), nil
}

// Of the row that says in which format all names are.
const (
	namesKind = "format"
	namesName = "names"
	namesText = 1 // field
)

// NamesKey names the row that is there once no row has a name of format 1.
func NamesKey() store.Key { return MetaKey(store.SystemSlot, namesKind, namesName) }

// NamesValue is what NamesKey's row holds.
func NamesValue() []byte { return EncodeMeta(map[int]string{namesText: "2"}) }
