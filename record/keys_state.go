package record

import (
	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/store"
)

// Part is a kind of part of a run's state. The numbers are part of the format.
type Part uint8

// The parts. Those below PartActivity exist once, and hold all that the run's row
// in the visibility index is made of. Most of the others exist once for each
// thing they keep, named by an event id or a string. The ones with Alone in their
// names are parts of standalone activities, the rest of workflows.
const (
	PartStart            Part = 1
	PartInfo             Part = 2
	PartMemo             Part = 3
	PartSearchAttributes Part = 4
	PartAloneStart       Part = 5
	PartAloneInfo        Part = 6
	PartAloneActivity    Part = 7
	PartActivity         Part = 16 // by scheduled event id
	PartTimer            Part = 17 // by timer id
	PartChild            Part = 18 // by initiated event id
	PartSignal           Part = 19 // by initiated event id
	PartCancel           Part = 20 // by initiated event id
	PartRequest          Part = 21 // by request id
	PartBuffered         Part = 22 // by order of arrival
	PartUpdate           Part = 23 // by update id
	PartCallback         Part = 24 // by order of arrival; of standalone activities too
	PartAloneOutcome     Part = 32
	PartAloneAttachment  Part = 33 // by order of arrival
)

// keyed says how the things of a part are named in its rows.
func (p Part) keyed() keying {
	switch p {
	case PartStart, PartInfo, PartMemo, PartSearchAttributes,
		PartAloneStart, PartAloneInfo, PartAloneActivity, PartAloneOutcome:
		return bySingle
	case PartActivity, PartChild, PartSignal, PartCancel, PartBuffered, PartCallback, PartAloneAttachment:
		return byNumber
	case PartTimer, PartRequest, PartUpdate:
		return byText
	}
	return unknownPart
}

type keying uint8

const (
	unknownPart keying = iota
	bySingle
	byNumber
	byText
)

// begins reports whether a run begins with the part: it is there for as long as
// the run is, and is written once.
func (p Part) begins() bool { return p == PartStart || p == PartAloneStart }

// StateKey names one part of a run's state: Number or Text says which of its
// kind, where there are several.
type StateKey struct {
	Run    engine.RunKey
	Part   Part
	Number int64
	Text   string
}

// Key is the stored form. Panics on a Part that is none: that is a bug.
func (k StateKey) Key() store.Key {
	name := k.appendName(make([]byte, 0, nameSize(k.Run)+len(k.Text)+9))
	return store.Key{Family: store.FamilyState, Slot: SlotOf(k.Run.ID), Name: name}
}

func (k StateKey) appendName(name []byte) []byte {
	if k.Part.begins() {
		name = appendRun(name, k.Run)
	} else {
		name = appendOwn(name, k.Run.RunID)
	}
	name = append(name, byte(k.Part))
	switch k.Part.keyed() {
	case bySingle:
	case byNumber:
		name = appendInt(name, k.Number)
	case byText:
		name = appendString(name, k.Text)
	default:
		panic("record: no such part of a state")
	}
	return name
}

// ParseStateKey is the inverse of StateKey.Key. Of the run it finds the run id
// alone, unless the part is one that a run begins with; BeginKey's row says whose
// it is. From a name of format 1 it finds all.
func ParseStateKey(key store.Key) (StateKey, error) {
	r := expect(key, store.FamilyState)
	run, alone := r.owner()
	k := StateKey{Run: run, Part: Part(r.byte())}
	switch k.Part.keyed() {
	case bySingle:
	case byNumber:
		k.Number = r.int()
	case byText:
		k.Text = r.string()
	default:
		r.bad = true
	}
	r.bad = r.bad || alone && k.Part.begins()
	return k, r.end(key)
}
