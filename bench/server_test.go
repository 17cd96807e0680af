package bench

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/config"
	"github.com/perdure/perdure/server"
)

// Every scenario that is over in a moment runs once, small, on the real server,
// and its report can be printed.
func TestScenariosOnTheServer(t *testing.T) {
	counts := map[string]int{
		"empty": 20, "activity1": 20, "activity10": 5, "fanout100": 2, "signal": 20, "query": 30, "update": 30, "standalone": 20,
		"storm": 50, "fanout10000": 300, "overload": 0, "list": 50, sdkScenario: 20,
	}
	at := startServer(t)
	for name, count := range counts {
		t.Run(name, func(t *testing.T) {
			report, err := Run(t.Context(), Options{Scenario: name, Count: count, Concurrency: 4, Address: at.grpc, metrics: at.metrics, settle: time.Millisecond, press: 20 * time.Millisecond, mostClients: 32, asks: 3})
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			if err := report.Print(&text); err != nil || report.PerSecond <= 0 {
				t.Errorf("%v: %+v\n%s", err, report, &text)
			}
			if b := report.Bytes; name == "activity1" && (b == nil || b.History == 0 || b.Rows == 0 || !strings.Contains(text.String(), "of the history")) {
				t.Errorf("the bytes of a workflow: %+v\n%s", b, &text)
			}
		})
	}
}

type addresses struct{ grpc, metrics string }

// startServer runs a server in this process.
func startServer(t *testing.T) (at addresses) {
	t.Helper()
	c := config.Default()
	c.Data, c.Port, c.HTTPPort, c.MetricsPort, c.Headless = t.TempDir(), 0, config.Off, 0, true
	s, err := server.Start(t.Context(), server.Options{Config: &c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	for _, a := range s.Addresses() {
		switch a.Label {
		case "gRPC":
			at.grpc = a.Value
		case "Metrics":
			at.metrics = a.Value
		}
	}
	return at
}

// The open executions of scenario million are all there once they are filled in,
// and those that are stirred wait for their timers.
func TestCrowdFillsAndStirs(t *testing.T) {
	o := Options{Scenario: "million", Address: startServer(t).grpc, Concurrency: 4}.withDefaults()
	c := &crowd{Count: 40}
	b, err := open(t.Context(), o, scenario{decide: join, crowd: c}, reach)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	c.Prefix = b.prefix
	if err := c.fill(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := c.stir(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	count, err := b.api.CountWorkflowExecutions(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Namespace: b.Namespace, Query: "ExecutionStatus = 'Running'"})
	if err != nil || count.GetCount() != 40 {
		t.Errorf("%v are open, error %v", count, err)
	}
}
