package frontend

import (
	"testing"

	"go.temporal.io/api/workflowservice/v1"
)

// A body of the HTTP form of the API comes from outside; what is read can be
// written.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"workflowType": {"name": "t"}, "taskQueue": {"name": "q"}, "input": [1, "x", {"a": null}], "memo": {"m": {"data": ""}}}`))
	f.Add([]byte(`{"input": {"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "bnVsbA=="}]}, "workflowRunTimeout": "1s"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, format := range jsonFormats {
			r := new(workflowservice.SignalWithStartWorkflowExecutionRequest)
			if format.Unmarshal(body, r) != nil {
				continue
			}
			if _, err := format.Marshal(r); err != nil {
				t.Errorf("%s: read but not written: %v", name, err)
			}
		}
	})
}
