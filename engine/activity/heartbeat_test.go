package activity

import (
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine"
)

// The last worker is who took the attempt, then whoever sent a heartbeat for it,
// also after it has failed, until the next is taken (AT-120, AT-107).
func TestLastWorker(t *testing.T) {
	env := &engine.Env{Now: epoch, Limits: engine.DefaultLimits(), Fresh: engine.NewFresh([16]byte{})}
	s := New(InWorkflow, "a", "T", Options{StartToClose: time.Minute,
		RetryPolicy: &commonpb.RetryPolicy{InitialInterval: durationpb.New(time.Second), BackoffCoefficient: 1}}, epoch).Offer()
	is := func(s *State, when, want string) {
		t.Helper()
		if got := s.LastWorker(); got != want {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	take := func(s *State, who string) *State {
		t.Helper()
		next, err := s.Start(env.Now, s.Stamp, &engine.Poller{Identity: who, RequestID: who})
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	heartbeat := func(s *State, who string) *State {
		t.Helper()
		step, _, err := s.RecordHeartbeat(env, s.Stamp, nil, who)
		if err != nil {
			t.Fatal(err)
		}
		return step.State
	}
	s = take(s, "a")
	is(s, "taken", "a")
	is(heartbeat(s, "a"), "its own heartbeat", "a")
	s = heartbeat(s, "b")
	is(s, "a heartbeat from elsewhere", "b")
	if s.Identity != "a" {
		t.Errorf("taken by %q", s.Identity)
	}
	is(heartbeat(s, "a"), "its own again", "a")
	is(heartbeat(s, ""), "one without a name", "a")
	step, _, err := s.Fail(env, s.Stamp, nil, nil, "c")
	if err != nil {
		t.Fatal(err)
	}
	s = step.State
	is(s, "failed", "b")
	env.Now = s.DueTime
	is(take(s.Offer(), "d"), "taken again", "d")
}

// Details are the same only when every byte is; then a heartbeat keeps those it
// finds, and its owner need not write them.
func TestSameDetails(t *testing.T) {
	details := func(data, encoding string) *commonpb.Payloads {
		return &commonpb.Payloads{Payloads: []*commonpb.Payload{{
			Data: []byte(data), Metadata: map[string][]byte{"encoding": []byte(encoding)},
		}}}
	}
	elsewhere := details("1", "json")
	elsewhere.Payloads[0].ExternalPayloads = []*commonpb.Payload_ExternalPayloadDetails{{SizeBytes: 7}}
	more := details("1", "json")
	more.Payloads = append(more.Payloads, more.Payloads[0])
	for _, c := range []struct {
		name string
		a, b *commonpb.Payloads
		same bool
	}{
		{"none and none", nil, nil, true},
		{"equal ones", details("1", "json"), details("1", "json"), true},
		{"none and empty ones", nil, &commonpb.Payloads{}, false},
		{"some and none", details("1", "json"), nil, false},
		{"other data", details("1", "json"), details("2", "json"), false},
		{"other metadata", details("1", "json"), details("1", "proto"), false},
		{"one more", details("1", "json"), more, false},
		{"kept elsewhere", elsewhere, elsewhere, false},
	} {
		if sameDetails(c.a, c.b) != c.same || sameDetails(c.b, c.a) != c.same {
			t.Errorf("%s: the same is %v", c.name, !c.same)
		}
	}
}
