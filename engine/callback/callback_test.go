package callback_test

import (
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"pgregory.net/rapid"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/callback"
)

var run = engine.RunKey{ID: engine.ID{NamespaceID: "n", Archetype: engine.ArchetypeWorkflow, Name: "w"}, RunID: "r"}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func waiting() *callback.State {
	return callback.New(run, &commonpb.Callback{}, callback.Origin{}, epoch)
}

// Each row answers the first try and says what is made of it.
func TestWhatAnAnswerMakesOfACallback(t *testing.T) {
	sent := waiting().Trigger(epoch)
	now := epoch.Add(3 * time.Second)
	broken := &failurepb.Failure{Message: "no"}
	for _, row := range []struct {
		name    string
		answer  callback.Answer
		status  enumspb.CallbackState
		attempt int32
		due     time.Duration // after now; 0: never
	}{
		{"accepted is the end", callback.Answer{Verdict: callback.Accepted}, enumspb.CALLBACK_STATE_SUCCEEDED, 1, 0},
		{"refused is the end", callback.Answer{Verdict: callback.Refused, Failure: broken}, enumspb.CALLBACK_STATE_FAILED, 1, 0},
		{"failed is tried again", callback.Answer{Verdict: callback.Failed, Failure: broken}, enumspb.CALLBACK_STATE_BACKING_OFF, 1, time.Second},
		{"blocked waits at least as long as it is told", callback.Answer{Verdict: callback.Blocked, Reason: "r", Wait: time.Minute}, enumspb.CALLBACK_STATE_BLOCKED, 0, time.Minute},
		{"blocked for no time backs off all the same", callback.Answer{Verdict: callback.Blocked, Reason: "r"}, enumspb.CALLBACK_STATE_BLOCKED, 0, time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := sent.Answered(sent.Stamp, row.answer, now)
			if got.Status != row.status || got.Attempt != row.attempt || got.LastFailure != row.answer.Failure ||
				got.BlockedReason != row.answer.Reason {
				t.Fatalf("got %+v", got)
			}
			want := time.Time{}
			if row.due > 0 {
				want = now.Add(row.due)
			}
			if !got.Deadline().Equal(want) {
				t.Errorf("due %v, want %v", got.Deadline(), want)
			}
			if complete := got.LastAttemptComplete; complete.IsZero() != (row.attempt == 0) {
				t.Errorf("last attempt complete at %v", complete)
			}
			if waits := got.WaitsForRetry(); waits != (row.due > 0) {
				t.Errorf("waits for another try: %v", waits)
			}
			if sent.Status != enumspb.CALLBACK_STATE_SCHEDULED {
				t.Error("the state before has changed")
			}
		})
	}
}

func TestAnOutdatedReportIsDropped(t *testing.T) {
	first := waiting().Trigger(epoch)
	second := first.Try(first.Due) // the first was lost
	for _, verdict := range []callback.Verdict{callback.Refused, callback.Failed, callback.Blocked} {
		if got := second.Answered(first.Stamp, callback.Answer{Verdict: verdict}, second.Due); got != nil {
			t.Errorf("verdict %d of the first try makes %+v", verdict, got)
		}
	}
	done := second.Answered(first.Stamp, callback.Answer{Verdict: callback.Accepted}, second.Due)
	if done == nil || done.Status != enumspb.CALLBACK_STATE_SUCCEEDED {
		t.Fatalf("the receiver has accepted the first try; got %+v", done)
	}
	if again := done.Answered(second.Stamp, callback.Answer{Verdict: callback.Accepted}, second.Due); again != nil {
		t.Errorf("delivered twice: %+v", again)
	}
}

func TestNothingIsDueBeforeTheTrigger(t *testing.T) {
	s := waiting()
	if !s.Waiting() || s.Pending() || !s.Deadline().IsZero() {
		t.Errorf("got %+v", s)
	}
	if got := s.Answered(0, callback.Answer{Verdict: callback.Accepted}, epoch); got != nil {
		t.Errorf("an answer to nothing makes %+v", got)
	}
}

// A callback that another run tells of is over in this one.
func TestDoneIsTheEnd(t *testing.T) {
	s := waiting().Trigger(epoch).Done()
	if s.Pending() || s.Waiting() || !s.Deadline().IsZero() || s.Attempt != 0 {
		t.Errorf("got %+v", s)
	}
	if got := s.Answered(s.Stamp, callback.Answer{Verdict: callback.Refused}, epoch); got != nil {
		t.Errorf("a report makes it %+v", got)
	}
}

// The wait doubles from a second and stops at an hour (N-53).
func TestTheWaitDoublesUpToAnHour(t *testing.T) {
	s, now := waiting().Trigger(epoch), epoch
	want := time.Second
	for attempt := int32(1); attempt <= 40; attempt++ {
		s = s.Answered(s.Stamp, callback.Answer{Verdict: callback.Failed}, now)
		if got := s.Due.Sub(now); got != want || s.Attempt != attempt {
			t.Fatalf("after attempt %d (%d counted): %v, want %v", attempt, s.Attempt, got, want)
		}
		want = min(2*want, time.Hour)
		now = s.Due
		s = s.Try(now)
	}
}

func TestADeliverySaysWhatAReceiverNeeds(t *testing.T) {
	s := waiting().Trigger(epoch).Try(epoch.Add(time.Minute))
	d := s.Delivery(run, "default", 7)
	if d.Run != run || d.NamespaceName != "default" || d.Number != 7 || d.Stamp != 2 || d.RequestID != s.RequestID ||
		!d.CloseTime.Equal(epoch) || !d.Until.Equal(s.Due) || d.Timeout != callback.Timeout {
		t.Errorf("got %+v", d)
	}
}

// The id by which a receiver knows a repetition is a function of where the
// callback comes from, and differs when that does.
func TestRequestIDsTellCallbacksApart(t *testing.T) {
	other := run
	other.RunID = "s"
	seen := map[string]bool{}
	for _, r := range []engine.RunKey{run, other} {
		for _, from := range []callback.Origin{
			{}, {Index: 1}, {AttachedBy: "a"}, {UpdateID: "a"}, {AttachedBy: "a", UpdateID: "b"}, {AttachedBy: `a"/"b`},
		} {
			s := callback.New(r, &commonpb.Callback{}, from, epoch)
			if seen[s.RequestID] || s.RequestID != callback.New(r, &commonpb.Callback{Links: []*commonpb.Link{{}}}, from, epoch.Add(1)).RequestID {
				t.Errorf("%+v of %s: %s", from, r.RunID, s.RequestID)
			}
			seen[s.RequestID] = true
		}
	}
}

// A receiver that accepts once in a while is told in the end, whatever else
// happens to the tries: reports that are lost, late, doubled. The callback is
// accepted once, always says when it wants to be looked at while it is pending,
// and never before a second has passed since it was.
func TestEveryCallbackIsDeliveredInTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, now := waiting().Trigger(epoch), epoch
		var reports []struct {
			stamp  int64
			answer callback.Answer
		}
		accepted := 0
		take := func(i int) {
			if next := s.Answered(reports[i].stamp, reports[i].answer, now); next != nil {
				if next.Status == enumspb.CALLBACK_STATE_SUCCEEDED {
					accepted++
				}
				s = next
			}
		}
		verdict := rapid.SampledFrom([]callback.Verdict{callback.Failed, callback.Blocked, callback.Accepted, 0})
		for step := 0; s.Pending(); step++ {
			if step > 200 { // from now on the receiver is well
				verdict = rapid.Just(callback.Accepted)
			}
			if s.Status == enumspb.CALLBACK_STATE_SCHEDULED {
				if v := verdict.Draw(t, "verdict"); v != 0 { // 0: lost
					reports = append(reports, struct {
						stamp  int64
						answer callback.Answer
					}{s.Stamp, callback.Answer{Verdict: v}})
				}
			}
			if len(reports) > 0 && rapid.Bool().Draw(t, "a report comes") {
				take(rapid.IntRange(0, len(reports)-1).Draw(t, "which"))
			}
			if !s.Pending() {
				break
			}
			due := s.Deadline()
			if due.Before(now.Add(time.Second)) {
				t.Fatalf("%v is due at %v, now is %v", s.Status, due, now)
			}
			if rapid.Bool().Draw(t, "the time comes") {
				now = due
				s = s.Try(now)
			}
		}
		for i := range reports {
			take(i)
		}
		if accepted != 1 || s.Status != enumspb.CALLBACK_STATE_SUCCEEDED {
			t.Fatalf("accepted %d times, ends %v", accepted, s.Status)
		}
	})
}
