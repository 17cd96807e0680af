package frontend

import (
	"fmt"
	"maps"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine/workflow"
)

// A description has the request ids of the latest signals only, however many the
// run has taken, and those of everything else.
func TestDescribeShowsTheLatestSignals(t *testing.T) {
	run := &workflow.Run{Requests: map[string]*workflow.Request{
		"start":   {EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, EventID: 1},
		"attach":  {EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED, EventID: 2},
		"waiting": {EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, Buffered: true},
	}}
	const signals = 10_000
	for n := range int64(signals) {
		run.Requests[fmt.Sprint("s", n)] = &workflow.Request{EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, EventID: 10 + n}
	}
	shown := maps.Collect(shownRequests(run))
	if len(shown) != maxShownSignals+3 {
		t.Errorf("%d are shown", len(shown))
	}
	for _, id := range []string{"start", "attach", "waiting", "s9999", fmt.Sprint("s", signals-maxShownSignals)} {
		if shown[id] == nil {
			t.Errorf("%s is not shown", id)
		}
	}
}
