package workflow

import (
	"cmp"

	"google.golang.org/protobuf/proto"

	commonpb "go.temporal.io/api/common/v1"

	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/engine/payload"
)

// What a run holds is bounded (DESIGN I11): thousands of activities may each
// keep two megabytes of heartbeat details. The size is an estimate, kept up with
// each step by what it changed; payloads count in full, the rest by a constant.

// partBytes is about what a part takes besides its payloads.
const partBytes = 200

// growth is how much larger this step makes the parts of the run.
func (d *draft) growth() int64 {
	n := grown(&d.activities, activitySize) +
		grown(&d.timers, func(*Timer) int { return partBytes }) +
		grown(&d.children, func(*Child) int { return partBytes }) +
		grown(&d.signals, externalSize) +
		grown(&d.cancels, externalSize) +
		grown(&d.requests, func(*Request) int { return partBytes / 2 }) +
		grown(&d.updates, func(*Update) int { return partBytes }) +
		grown(&d.callbacks, callbackSize)
	if d.change.MemoChanged {
		n += memoSize(d.change.Memo) - memoSize(d.base.Memo)
	}
	if d.change.SearchAttributesChanged {
		n += attributesSize(d.change.SearchAttributes) - attributesSize(d.base.SearchAttributes)
	}
	return int64(n)
}

// stateBytes is the sum that growth keeps up.
func (r *Run) stateBytes() int64 {
	n := partBytes*(len(r.Timers)+len(r.Children)+len(r.Updates)) + partBytes/2*len(r.Requests) +
		memoSize(r.Memo) + attributesSize(r.SearchAttributes)
	for _, s := range r.Activities {
		n += activitySize(s)
	}
	for _, c := range r.Callbacks {
		n += callbackSize(c)
	}
	for _, x := range r.Signals {
		n += externalSize(x)
	}
	for _, x := range r.Cancels {
		n += externalSize(x)
	}
	return int64(n)
}

func memoSize(m *commonpb.Memo) int { return payload.Size(m, m.GetFields()) }

func attributesSize(sa *commonpb.SearchAttributes) int {
	return payload.Size(sa, sa.GetIndexedFields())
}

func activitySize(s *activity.State) int {
	return 2*partBytes + proto.Size(s.HeartbeatDetails) + proto.Size(s.LastFailure) + len(s.Pause.Reason)
}

func callbackSize(c *callback.State) int {
	return partBytes + proto.Size(c.Callback) + proto.Size(c.LastFailure)
}

func externalSize(x *External) int { return partBytes + len(x.Control) }

func grown[K cmp.Ordered, V any](o *overlay[K, V], size func(*V) int) int {
	n := 0
	for k, v := range o.changed {
		if was := o.base[k]; was != nil {
			n -= size(was)
		}
		if v != nil {
			n += size(v)
		}
	}
	return n
}
