package bench

import "testing"

// Every activity is taken once and reports as often as it should, on the null
// server, which syncs the starts and no heartbeat.
func TestHeartbeatsOnTheFloor(t *testing.T) {
	b, log := onNull(t, "heartbeat")
	b.Count = 30
	l := &heartbeatLoad{bench: b, every: 1}
	if _, err := l.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	taken := map[string]bool{}
	for _, token := range l.tokens {
		taken[string(token)] = true
	}
	if len(taken) != b.Count {
		t.Errorf("%d activities taken, want %d", len(taken), b.Count)
	}
	for range 2 {
		if err := l.measure(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
	}
	if r := l.report(); l.calls.len() != 6*b.Count || r.Activities != b.Count || r.PerSecond <= 0 {
		t.Errorf("%d heartbeats: %+v", l.calls.len(), r)
	}
	b.close()
	if log.commits != b.Count {
		t.Errorf("%d commits, want the %d starts", log.commits, b.Count)
	}
}

// The scenario beside another exists, and is one that can be driven in turns.
func TestBesideIsAClosedLoop(t *testing.T) {
	for name, play := range scenarios {
		if play.beside != "" && scenarios[play.beside].one == nil {
			t.Errorf("%s is compared with %s", name, play.beside)
		}
	}
}
