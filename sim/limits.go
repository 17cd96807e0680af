package main

import "github.com/perdure/perdure/engine"

// drawLimits are the limits of a world's executions. In one in four some of them
// are so low that they are reached all the time.
func drawLimits(s *schedule) *engine.Limits {
	l := engine.DefaultLimits()
	if !s.oneIn(4) {
		return l
	}
	few := func(limit *int, least, most int) {
		if s.oneIn(3) {
			*limit = least + s.chance.IntN(most-least+1)
		}
	}
	few(&l.BlobBytes, 10, 200)
	few(&l.MemoBytes, 5, 50)
	few(&l.SearchAttributeBytes, 3, 20)
	few(&l.SearchAttributesBytes, 50, 300)
	few(&l.SearchAttributeKeys, 1, 3)
	few(&l.PendingActivities, 1, 3)
	few(&l.PendingChildren, 0, 1)
	few(&l.PendingSignals, 0, 1)
	few(&l.PendingCancels, 0, 1)
	few(&l.SignalsPerRun, 1, 5)
	few(&l.BufferedEvents, 1, 5)
	few(&l.LastFailureBytes, 10, 60)
	few(&l.AutoResetPoints, 1, 2)
	few(&l.RequestIDs, 1, 3)
	few(&l.CompletionCallbacks, 1, 2)
	few(&l.UpdateCallbacks, 1, 2)
	few(&l.UpdatesInFlight, 1, 2)
	few(&l.UpdatesPerRun, 1, 4)
	few(&l.ActivityLinks, 1, 2)
	few(&l.ActivityCallbacks, 1, 2)
	if s.oneIn(3) {
		l.LimitHistory(int64(20+s.chance.IntN(60)), int64(2000+s.chance.IntN(8000)))
		l.HistorySuggestEvents, l.HistorySuggestBytes = l.HistoryFullEvents/2, l.HistoryFullBytes/2
	}
	if s.oneIn(6) {
		l.StateBytes = int64(2000 + s.chance.IntN(4000))
	}
	if s.oneIn(6) {
		l.TransactionBytes = int64(500 + s.chance.IntN(2000))
	}
	return l
}

// tightfisted: results may be too large to be kept, and then what brought one has
// failed.
func (w *world) tightfisted() bool { return w.limits.BlobBytes < 1<<10 }
