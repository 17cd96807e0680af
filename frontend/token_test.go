package frontend

import (
	"bytes"
	"testing"

	failurepb "go.temporal.io/api/failure/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
)

// aloneRun is a run of a standalone activity.
var aloneRun = engine.RunKey{
	ID:    engine.ID{NamespaceID: "ns-id", Archetype: engine.ArchetypeActivity, Name: "a"},
	RunID: "22222222-3333-4444-8555-666666666666",
}

var plainFailure = &failurepb.Failure{Message: "of no sort"}

var (
	sampleWorkflowToken = workflow.TaskToken{Run: testRun, ScheduledEventID: 2, StartedEventID: 3, Attempt: 1, Stamp: 9}
	sampleActivityToken = workflow.ActivityToken{Run: testRun, ScheduledEventID: 5, ActivityID: "a", Attempt: 2, Stamp: 7}
	sampleAttemptToken  = standalone.Token{Run: aloneRun, Attempt: 2, Stamp: 7}
	sampleQueryToken    = queryToken{NamespaceID: "ns-id", QueryID: "q-1"}
	samplePage          = historyPage{Run: testRun, Next: 17, To: 20, Task: 9, Wait: true, CloseEvent: true}
)

func TestTokensComeBackAsTheyWent(t *testing.T) {
	if got, err := openWorkflowToken(sealWorkflowToken(sampleWorkflowToken)); err != nil || got != sampleWorkflowToken {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := openActivityToken(sealActivityToken(sampleActivityToken)); err != nil || got != sampleActivityToken {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := openAttemptToken(sealAttemptToken(sampleAttemptToken)); err != nil || got != sampleAttemptToken {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := openQueryToken(sealQueryToken(sampleQueryToken)); err != nil || got != sampleQueryToken {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := openHistoryPage(tokenHistoryPage, samplePage.seal(tokenHistoryPage), testRun.ID, ""); err != nil || got != samplePage {
		t.Errorf("%v, %v", got, err)
	}
	for _, token := range [][]byte{sealWorkflowToken(sampleWorkflowToken), sealActivityToken(sampleActivityToken), sealAttemptToken(sampleAttemptToken), sealQueryToken(sampleQueryToken)} {
		if ns, err := tokenNamespace(token); err != nil || ns != "ns-id" {
			t.Errorf("namespace %q, %v", ns, err)
		}
	}
}

// A token of one kind is none of another, and any damage is noticed.
func TestForeignAndDamagedTokensAreRefused(t *testing.T) {
	good := sealWorkflowToken(sampleWorkflowToken)
	if _, err := openActivityToken(good); err == nil {
		t.Errorf("a workflow task's token was taken for an activity's")
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		if _, err := openWorkflowToken(bad); err == nil {
			t.Errorf("a flipped bit in byte %d went unnoticed", i)
		}
	}
	for n := range good {
		if _, err := openWorkflowToken(good[:n]); err == nil {
			t.Errorf("the first %d bytes were taken for a token", n)
		}
	}
	if _, err := openWorkflowToken(append(bytes.Clone(good), 0)); err == nil {
		t.Errorf("a byte too many went unnoticed")
	}
}

func TestPageTokensArePinned(t *testing.T) {
	token := samplePage.seal(tokenHistoryPage)
	other := testRun.ID
	other.Name = "another"
	for _, c := range []struct {
		name  string
		kind  tokenKind
		id    engine.ID
		runID string
		want  error
	}{
		{"of another workflow", tokenHistoryPage, other, "", errBadPage},
		{"of another run", tokenHistoryPage, testRun.ID, "22222222-2222-4333-8444-555555555555", errOtherRun},
		{"of the same run, named", tokenHistoryPage, testRun.ID, testRun.RunID, nil},
		{"for the other direction", tokenReversePage, testRun.ID, "", errBadPage},
	} {
		if _, err := openHistoryPage(c.kind, token, c.id, c.runID); err != c.want {
			t.Errorf("a token %s: %v", c.name, err)
		}
	}
}

func FuzzTaskToken(f *testing.F) {
	f.Add(sealWorkflowToken(sampleWorkflowToken))
	f.Add(sealActivityToken(sampleActivityToken))
	f.Add(sealAttemptToken(sampleAttemptToken))
	f.Add(sealQueryToken(sampleQueryToken))
	f.Add([]byte{tokenFormat, byte(tokenWorkflowTask)})
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := openWorkflowToken(b); err == nil && !bytes.Equal(sealWorkflowToken(got), b) {
			// Varints have more than one form, so equality is not a must; but
			// what was read must read the same again.
			if again, err := openWorkflowToken(sealWorkflowToken(got)); err != nil || again != got {
				t.Errorf("%v became %v, %v", got, again, err)
			}
		}
		_, _ = openActivityToken(b)
		_, _ = openAttemptToken(b)
		_, _ = openQueryToken(b)
		_, _ = tokenNamespace(b)
	})
}

// FuzzTokenFields gets past the checksum, where the field reader must hold.
func FuzzTokenFields(f *testing.F) {
	f.Add(sealWorkflowToken(sampleWorkflowToken)[2:])
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(_ *testing.T, b []byte) {
		for _, walk := range []func(*tokenFields){
			func(f *tokenFields) { f.workflowTask(new(workflow.TaskToken)) },
			func(f *tokenFields) { f.activityTask(new(workflow.ActivityToken)) },
			func(f *tokenFields) { f.attempt(new(standalone.Token)) },
			func(f *tokenFields) { f.activityWait(new(activityWait)) },
			func(f *tokenFields) { f.query(new(queryToken)) },
			func(f *tokenFields) { f.historyPage(new(historyPage)) },
			func(f *tokenFields) { f.text(new(string)) },
		} {
			f := readFields(b)
			walk(&f)
		}
	})
}

func FuzzHistoryPageToken(f *testing.F) {
	f.Add(samplePage.seal(tokenHistoryPage))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = openHistoryPage(tokenHistoryPage, b, testRun.ID, "")
		_, _ = openNamePage(b)
	})
}
