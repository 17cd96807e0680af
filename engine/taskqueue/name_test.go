package taskqueue

import (
	"strings"
	"testing"

	taskqueuepb "go.temporal.io/api/taskqueue/v1"

	"github.com/perdure/perdure/engine"
)

// Workflow.md 1.1 rows 9 to 11.
func TestCheck(t *testing.T) {
	named := func(s string) *taskqueuepb.TaskQueue { return &taskqueuepb.TaskQueue{Name: s} }
	for _, c := range []struct {
		name string
		in   *taskqueuepb.TaskQueue
		want string
	}{
		{"absent", nil, "taskQueue is not set"},
		{"no name", named(""), "missing task queue name"},
		{"reserved", named("/_sys/q/1"), "task queue name cannot start with reserved prefix /_sys/"},
		{"internal", named("temporal-sys-per-ns-tq"), "cannot use internal per-namespace task queue:temporal-sys-per-ns-tq"},
		{"too long", named(strings.Repeat("q", 1001)), "taskQueue length exceeds limit"},
		{"at the bound", named(strings.Repeat("q", 1000)), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			if err := Check(c.in, engine.DefaultLimits()); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
