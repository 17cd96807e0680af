package record

import (
	"errors"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/store"
)

var aloneKey = engine.RunKey{ID: engine.ID{NamespaceID: "n", Archetype: engine.ArchetypeActivity, Name: "a"}, RunID: "r"}

func loadAlone(key engine.RunKey, entries []store.Entry) (*standalone.Run, error) {
	l := NewStandaloneLoader(key)
	for _, e := range entries {
		l.Add(e)
	}
	return l.Run()
}

// A standalone activity written change by change is loaded as the changes left
// it; a change that leaves a part out leaves it as it was; and nothing is left
// once it is deleted.
func TestStandaloneRoundTrips(t *testing.T) {
	for seed := range uint64(20) {
		f := &filler{rnd: rand.New(rand.NewPCG(seed, 4)), skip: maps.Clone(notStored)}
		f.skip["Change.Effects"], f.skip["Change.Attachments"] = true, true
		rows := map[string]store.Op{}
		want := &standalone.Run{Key: aloneKey}
		for i := range int64(4) {
			c := new(standalone.Change)
			f.fields(t, "Change", reflect.ValueOf(c).Elem())
			if i > 0 {
				a := new(standalone.Attachment)
				f.fields(t, "Attachment", reflect.ValueOf(a).Elem())
				a.Number = i
				c.Attachments, c.Start = []*standalone.Attachment{a}, nil
			}
			if i > 1 {
				c.Activity, c.Outcome = nil, nil
			}
			var b store.Batch
			WriteStandalone(&b, aloneKey, c)
			apply(rows, &b)
			want.Apply(c)
		}
		var b store.Batch
		want.Info.Transitions++
		WriteStandaloneInfo(&b, aloneKey, want.Info)
		apply(rows, &b)

		entries := stateEntries(rows, aloneKey)
		slices.SortFunc(entries, func(a, b store.Entry) int { return a.Key.Compare(b.Key) })
		read, err := loadAlone(aloneKey, entries)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, "Run", reflect.ValueOf(want), reflect.ValueOf(read))

		b = store.Batch{}
		WriteStandalone(&b, aloneKey, &standalone.Change{Effects: engine.Effects{Deleted: true}})
		apply(rows, &b)
		if _, err := loadAlone(aloneKey, stateEntries(rows, aloneKey)); !errors.Is(err, ErrNoRun) {
			t.Errorf("after deletion: %v", err)
		}
	}
}

// A standalone activity without its first parts, or with a row of something else,
// is corrupt.
func TestStandaloneLoaderNotices(t *testing.T) {
	info := encode(kind(PartAloneInfo), &standalone.Info{}, aloneInfoFields)
	entry := func(k StateKey, v []byte) store.Entry {
		if k.Run == (engine.RunKey{}) {
			k.Run = aloneKey
		}
		return store.Entry{Key: k.Key(), Value: v}
	}
	other := aloneKey
	other.RunID = "other"
	for name, entries := range map[string][]store.Entry{
		"no start":         {entry(StateKey{Part: PartAloneInfo}, info)},
		"of another run":   {entry(StateKey{Part: PartAloneInfo, Run: other}, info)},
		"of another part":  {entry(StateKey{Part: PartAloneStart}, info)},
		"of another store": {{Key: CurrentKey(aloneKey.ID), Value: info}},
		"a broken message": {entry(StateKey{Part: PartAloneOutcome}, info), entry(StateKey{Part: PartAloneInfo}, info)},
	} {
		if _, err := loadAlone(aloneKey, entries); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
	}
}
