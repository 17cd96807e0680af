package record

import (
	activitypb "go.temporal.io/api/activity/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/store"
)

// WriteStandalone is WriteChange for a standalone activity.
func WriteStandalone(b *store.Batch, key engine.RunKey, c *standalone.Change) {
	if c.Deleted {
		DeleteStandalone(b, key)
		return
	}
	w := newPartWriter(b, key)
	if c.Start != nil { // one row for all three, until the others change
		writePart(&w, StateKey{Part: PartAloneStart}, &activityBirth{c.Start, c.Info, c.Activity}, activityBirthFields)
	} else {
		writePart(&w, StateKey{Part: PartAloneInfo}, c.Info, aloneInfoFields)
		if c.Activity != nil {
			writePart(&w, StateKey{Part: PartAloneActivity}, c.Activity, activityFields)
		}
	}
	if c.Outcome != nil {
		w.put(StateKey{Part: PartAloneOutcome}, encodeMessage(kind(PartAloneOutcome), c.Outcome))
	}
	writeNumbered(&w, PartCallback, c.Callbacks, callbackFields)
	for _, a := range c.Attachments {
		writePart(&w, StateKey{Part: PartAloneAttachment, Number: a.Number}, a, attachmentFields)
	}
}

// DeleteStandalone is DeleteRun for a standalone activity, which has no history.
func DeleteStandalone(b *store.Batch, key engine.RunKey) { deleteState(b, key) }

// WriteStandaloneInfo is WriteInfo for a standalone activity.
func WriteStandaloneInfo(b *store.Batch, key engine.RunKey, info *standalone.Info) {
	w := newPartWriter(b, key)
	writePart(&w, StateKey{Part: PartAloneInfo}, info, aloneInfoFields)
}

// StandaloneLoader is Loader for a standalone activity.
type StandaloneLoader struct {
	run  *standalone.Run
	rows stateRows
}

// NewStandaloneLoader begins to load a run.
func NewStandaloneLoader(key engine.RunKey) *StandaloneLoader {
	return &StandaloneLoader{rows: stateRows{key: key}, run: &standalone.Run{Key: key}}
}

// Add takes the next entry of BeginKey or StateRows. It keeps none of its bytes. A mistake
// shows in Run.
func (l *StandaloneLoader) Add(e store.Entry) {
	if k, ok := l.rows.next(e); ok {
		l.rows.note(e, l.part(k, e.Value))
	}
}

func (l *StandaloneLoader) part(k StateKey, v []byte) (err error) {
	r, what := l.run, kind(k.Part)
	switch k.Part {
	case PartAloneStart:
		var birth *activityBirth
		if birth, err = decode(what, v, activityBirthFields); err == nil {
			r.Start = birth.start
			if r.Info == nil {
				r.Info = birth.info
			}
			if r.Activity == nil {
				r.Activity = birth.activity
			}
		}
	case PartAloneInfo:
		r.Info, err = decode(what, v, aloneInfoFields)
	case PartAloneActivity:
		r.Activity, err = decode(what, v, activityFields)
	case PartAloneOutcome:
		r.Outcome = new(activitypb.ActivityExecutionOutcome)
		err = decodeMessage(what, v, r.Outcome)
	case PartCallback:
		if r.Callbacks == nil {
			r.Callbacks = make(map[int64]*callback.State)
		}
		r.Callbacks[k.Number], err = decode(what, v, callbackFields)
	case PartAloneAttachment:
		var a *standalone.Attachment
		a, err = decode(what, v, attachmentFields)
		r.Attachments = append(r.Attachments, a)
	}
	return err
}

// Run is the run that was loaded. Without any entry the error is ErrNoRun; what
// is damaged or incomplete wraps store.ErrCorrupt.
func (l *StandaloneLoader) Run() (*standalone.Run, error) {
	if err := l.rows.end(l.run.Start != nil && l.run.Info != nil && l.run.Activity != nil); err != nil {
		return nil, err
	}
	return l.run, nil
}
