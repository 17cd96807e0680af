package priority

import (
	"math"
	"strings"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
)

// Workflow.md 1.1 row 18.
func TestCheck(t *testing.T) {
	for want, p := range map[string]*commonpb.Priority{
		"priority key can't be negative":     {PriorityKey: -1},
		"fairness key length exceeds limit":  {FairnessKey: strings.Repeat("k", 65)},
		"must be greater than zero":          {FairnessWeight: -0.5},
		"must be greater than zero (no NaN)": {FairnessWeight: float32(math.NaN())},
	} {
		want, _, _ = strings.Cut(want, " (")
		if err := Check(p, engine.DefaultLimits()); err == nil || err.Error() != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	for _, p := range []*commonpb.Priority{nil, {}, {PriorityKey: 9, FairnessKey: strings.Repeat("k", 64), FairnessWeight: 3}} {
		if err := Check(p, engine.DefaultLimits()); err != nil {
			t.Errorf("%v refused: %v", p, err)
		}
	}
}

// TQ-30: unset fields inherit, field by field.
func TestMerge(t *testing.T) {
	got := Merge(&commonpb.Priority{FairnessKey: "a"}, &commonpb.Priority{PriorityKey: 2, FairnessKey: "b", FairnessWeight: 7})
	if want := (&commonpb.Priority{PriorityKey: 2, FairnessKey: "a", FairnessWeight: 7}); !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if Merge(nil, nil) != nil {
		t.Errorf("nothing of nothing")
	}
	var task engine.Task
	if Apply(&task, &commonpb.Priority{PriorityKey: 9}); task.Priority != 5 {
		t.Errorf("keys above 5 count as 5, got %d", task.Priority)
	}
}
