// Package priority checks and combines the priorities of workflows and
// activities. Spec: taskqueue.md TQ-30 and TQ-31, workflow.md 1.1 row 18.
package priority

import (
	commonpb "go.temporal.io/api/common/v1"

	"github.com/perdure/perdure/engine"
)

// lowest is the last level; larger keys count as it (TQ-31).
const lowest = 5

// Check refuses a bad priority, with the API's texts. Nil is good. The error is
// an *engine.Refusal of KindInvalidArgument.
func Check(p *commonpb.Priority, limits *engine.Limits) error {
	switch {
	case p.GetPriorityKey() < 0:
		return engine.Invalid("priority key can't be negative")
	case len(p.GetFairnessKey()) > limits.FairnessKeyBytes:
		return engine.Invalid("fairness key length exceeds limit")
	case !(p.GetFairnessWeight() >= 0): // refuses NaN too
		return engine.Invalid("must be greater than zero")
	}
	return nil
}

// Merge is own with its unset fields taken from inherited. Neither is changed;
// nil when both are.
func Merge(own, inherited *commonpb.Priority) *commonpb.Priority {
	if own == nil {
		return inherited
	}
	if inherited == nil {
		return own
	}
	merged := &commonpb.Priority{
		PriorityKey: own.PriorityKey, FairnessKey: own.FairnessKey, FairnessWeight: own.FairnessWeight,
	}
	if merged.PriorityKey == 0 {
		merged.PriorityKey = inherited.PriorityKey
	}
	if merged.FairnessKey == "" {
		merged.FairnessKey = inherited.FairnessKey
	}
	if merged.FairnessWeight == 0 {
		merged.FairnessWeight = inherited.FairnessWeight
	}
	return merged
}

// Apply puts a priority onto an offered task.
func Apply(t *engine.Task, p *commonpb.Priority) {
	t.Priority = min(p.GetPriorityKey(), lowest)
	t.FairnessKey = p.GetFairnessKey()
	t.FairnessWeight = p.GetFairnessWeight()
}
