package frontend

import (
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
)

// historyPage is where a reader of a history stands. It pins the run, so that
// the pages of one reading belong together whatever happens to the workflow id.
type historyPage struct {
	Run engine.RunKey
	// Next is the first event id still to be read.
	Next int64
	// To is the last event the reader may see: that of the workflow task the
	// token belongs to. 0: no such bound. Invariant: a token bound to a task
	// never shows events beyond its WorkflowTaskStarted (workflow.md 2.4).
	To int64
	// Task is the start stamp of the workflow task the token is bound to. Its
	// virtual events are shown at the end only while that start is valid.
	Task int64
	// Wait: the reader waits for events beyond the present end.
	Wait bool
	// CloseEvent: the reader wants the last event only.
	CloseEvent bool
}

func (f *tokenFields) historyPage(p *historyPage) {
	f.run(&p.Run)
	f.integer(&p.Next)
	f.integer(&p.To)
	f.integer(&p.Task)
	f.flag(&p.Wait)
	f.flag(&p.CloseEvent)
}

func (p historyPage) seal(kind tokenKind) []byte {
	f := writeToken(kind)
	f.historyPage(&p)
	return f.seal()
}

var (
	errBadPage  = invalid("Invalid NextPageToken.")
	errOtherRun = invalid("RunId in the request does not match the NextPageToken.")
)

// openHistoryPage reads a token and checks that it belongs to this request.
func openHistoryPage(kind tokenKind, token []byte, id engine.ID, runID string) (historyPage, error) {
	var p historyPage
	f := readToken(kind, token)
	f.historyPage(&p)
	if !f.complete() || p.Run.ID != id || p.Next < 0 || p.To < 0 {
		return p, errBadPage
	}
	if runID != "" && runID != p.Run.RunID {
		return p, errOtherRun
	}
	return p, nil
}

// sealNamePage is the position in a list ordered by name: the last name shown.
func sealNamePage(after string) []byte {
	f := writeToken(tokenNamePage)
	f.text(&after)
	return f.seal()
}

// openNamePage reads the position in a list by name; an empty token is its start.
func openNamePage(token []byte) (after string, ok bool) {
	if len(token) == 0 {
		return "", true
	}
	f := readToken(tokenNamePage, token)
	f.text(&after)
	return after, f.complete()
}

// wantsClose reports whether only the closing event is asked for.
func wantsClose(t enumspb.HistoryEventFilterType) bool {
	return t == enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT
}
