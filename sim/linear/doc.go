// Package linear judges histories of concurrent calls about one workflow id:
// starts, signals, updates, cancellations, terminations and reads, each with the
// moments at which it was called and answered. A history is linearizable if the
// calls can be put in one order in which each happens at some moment between its
// call and its answer, and in which a simple model of one workflow id, the one in
// this package, gives the very answers that were given. Whether there is such an
// order is decided by porcupine.
//
// A call whose answer was lost has taken effect between the call and the moment
// from which on it cannot any more, or never; its answer is anything. If there is
// no such moment, because nobody knows what became of it, it stays open to the
// end.
//
// What a worker does is in no history: it accepts and completes updates, and
// closes the run, at a moment nobody is told of. The model says when it may: a
// run can complete once it has a signal that ends it (Call.Ends), and be canceled
// once that was asked for; it can do nothing else by itself. The workflows of a
// history must be so.
//
// The simulator makes histories in simulated time, the crash tests in real time
// against the real server. Nothing here knows of either.
package linear
