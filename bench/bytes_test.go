package bench

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Counters are read as the server shows them, and what lies between two readings
// is shared out among the executions.
func TestBytesBetweenTwoReadings(t *testing.T) {
	page := ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(page)) }))
	defer s.Close()
	p := &process{}
	p.metrics.Store(&s.URL)
	read := func(figures ...string) counters {
		t.Helper()
		page = "# HELP perdure_commit_bytes_total Bytes.\n" + strings.Join(figures, "\n") + "\nperdure_commits_total{durable=\"true\"} 9\n"
		c, err := p.counters(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	before := read("perdure_commit_bytes_total 1000", "perdure_store_log_bytes_total 1100")
	after := read("perdure_commit_bytes_total 4000", "perdure_store_log_bytes_total 5.1e3", "perdure_store_flushed_bytes_total 1000",
		"perdure_store_compacted_bytes_total 1000", "perdure_index_log_bytes_total 800", "perdure_index_copied_bytes_total 400", "perdure_index_rows_total 10")
	got := after.bytes(before, 10)
	got.ofHistory(150)
	want := Bytes{History: 150, Rows: 300, StoreLog: 400, StoreFlushed: 100, StoreCompacted: 100,
		IndexLog: 80, IndexCopied: 40, IndexRows: 1, StoreToHistory: 4, Amplification: 2}
	if *got != want {
		t.Errorf("%+v, want %+v", *got, want)
	}
}

// A server whose metrics are not known has no bytes to report.
func TestNoBytesOfAStranger(t *testing.T) {
	c, err := (&process{}).counters(t.Context())
	if err != nil || c.bytes(c, 10) != nil {
		t.Errorf("%v, %v", c, err)
	}
}
