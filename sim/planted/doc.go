// Command planted asks whether the simulator, the model and the tests would find
// a bug: it plants deliberate ones, one at a time, and sends them hunting.
//
//	go run ./sim/planted                  every bug of the list
//	go run ./sim/planted -bug lost-child  one of them
//	go run ./sim/planted -starts 5        the median of five hunts each
//
// A bug is a change of a line or two, given as text to find and text to put in
// its place. It never touches the source tree, nor could it ship: the compiler is
// handed the changed file in place of the real one (go build -overlay). A test
// checks that each text to find still stands exactly once in its file, so that
// the list cannot rot.
//
// The simulator hunts first; then the model, for bugs of a machine, or the tests of
// the package, for what lies below. Who else hunts than the simulator is fixed in
// the list: a bug that slips through is a finding about its hunters. The table it
// prints is the one in docs/reliability.md.
package main
