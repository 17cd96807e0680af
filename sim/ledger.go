package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// ledger is the file in which runs add up: a line of JSON for each chunk of
// seeds that was played to its end. It is only ever appended to. A run that is
// killed leaves at most a line without its end, which the next one cuts off: the
// chunk did not count, and its seeds are played again.
type ledger struct {
	file   *os.File
	chunks []chunk
}

// chunk is a line of the ledger: some seeds in a row, played by one version of
// the code.
type chunk struct {
	Commit string `json:"commit"`
	// First is the first seed, Seeds how many there are from it on.
	First uint64 `json:"first"`
	Seeds uint64 `json:"seeds"`
	// Steps are the events of each world before all heals.
	Steps            uint64         `json:"steps"`
	Events           uint64         `json:"events"`
	SimulatedSeconds float64        `json:"simulatedSeconds"`
	Promises         int            `json:"promises"`
	Linearized       judged         `json:"linearized,omitzero"`
	Faults           map[string]int `json:"faults"`
	Broken           []broken       `json:"broken,omitempty"`
	// TookSeconds is real time, and Ended the real time at its end.
	TookSeconds float64   `json:"tookSeconds"`
	Ended       time.Time `json:"ended"`
}

// broken is a world that ended badly.
type broken struct {
	Seed uint64 `json:"seed"`
	What string `json:"what"`
}

// openLedger reads the ledger at path, or begins one there. Runs that share one
// at the same time would play the same seeds.
func openLedger(path string) (*ledger, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	l := &ledger{file: file}
	if err := l.read(); err != nil {
		return nil, errors.Join(fmt.Errorf("ledger %s: %w", path, err), file.Close())
	}
	return l, nil
}

// read takes in every whole line, and leaves the file where the next one is to
// be written.
func (l *ledger) read() error {
	all, err := io.ReadAll(l.file)
	if err != nil {
		return err
	}
	whole := all[:bytes.LastIndexByte(all, '\n')+1]
	for i, line := range bytes.Split(bytes.TrimSuffix(whole, []byte("\n")), []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		var c chunk
		if err := json.Unmarshal(line, &c); err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
		l.chunks = append(l.chunks, c)
	}
	if err := l.file.Truncate(int64(len(whole))); err != nil {
		return err
	}
	_, err = l.file.Seek(int64(len(whole)), io.SeekStart)
	return err
}

// add appends a chunk that is complete.
func (l *ledger) add(c chunk) error {
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return err
	}
	l.chunks = append(l.chunks, c)
	return l.file.Sync()
}

// next is the first seed behind all that were played, by whatever version, and
// not before from.
func (l *ledger) next(from uint64) uint64 {
	next := from
	for _, c := range l.chunks {
		next = max(next, c.First+c.Seeds)
	}
	return next
}

// chunkSeeds are played before a line is written: a few seconds' worth.
const chunkSeeds = 100

// campaign is a run that goes on where the last one has ended.
type campaign struct {
	ledger   *ledger
	commit   string
	steps    uint64
	parallel int
	from     uint64        // the first seed, if the ledger is not beyond it
	seeds    uint64        // how many to play; 0 for as many as there is time for
	most     time.Duration // no chunk begins after it; 0 for no end
	create   func(seed uint64) *world
}

// run plays chunk after chunk, and returns what they come to.
func (c *campaign) run() (results, error) {
	total := newResults()
	began := time.Now()
	for c.seeds == 0 || total.seeds < c.seeds {
		if c.most > 0 && time.Since(began) >= c.most {
			break
		}
		n := uint64(chunkSeeds)
		if c.seeds > 0 {
			n = min(n, c.seeds-total.seeds)
		}
		line, r := c.play(c.ledger.next(c.from), n)
		if err := c.ledger.add(line); err != nil {
			return total, err
		}
		total.merge(r)
	}
	return total, nil
}

// play is one chunk.
func (c *campaign) play(first, n uint64) (chunk, results) {
	began := time.Now()
	r := run(first, n, c.parallel, false, c.create)
	return chunk{
		Commit: c.commit, First: first, Seeds: n, Steps: c.steps,
		Events: r.events, SimulatedSeconds: r.simulated.Seconds(), Promises: r.promises, Linearized: r.histories,
		Faults: r.faults.counts, Broken: r.broken,
		TookSeconds: time.Since(began).Seconds(), Ended: time.Now().UTC(),
	}, r
}

// report is the ledger as docs/reliability.md shows it.
func (l *ledger) report() string {
	var order []string
	by := map[string]*chunk{}
	total := &chunk{Commit: "**together**", Faults: map[string]int{}}
	for _, c := range l.chunks {
		if by[c.Commit] == nil {
			order = append(order, c.Commit)
			by[c.Commit] = &chunk{Commit: c.Commit, Faults: map[string]int{}}
		}
		by[c.Commit].merge(c)
		total.merge(c)
	}
	var b strings.Builder
	b.WriteString("| commit | worlds | events | simulated hours | promises checked | broken |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, name := range order {
		b.WriteString(by[name].row())
	}
	b.WriteString(total.row())
	b.WriteString("\n| fault | times it struck |\n| --- | --- |\n")
	for _, name := range slices.Sorted(slices.Values(everyFault())) {
		fmt.Fprintf(&b, "| %s | %s |\n", name, thousands(uint64(total.Faults[name])))
	}
	fmt.Fprintf(&b, "\n%s histories of %s calls, the outcome of %s unknown, were checked for linearizability.\n", thousands(uint64(total.Linearized.Histories)),
		thousands(uint64(total.Linearized.Calls)), thousands(uint64(total.Linearized.Lost)))
	for _, bad := range total.Broken {
		fmt.Fprintf(&b, "\nseed %d: %s\n", bad.Seed, bad.What)
	}
	return b.String()
}

// merge adds another chunk's figures.
func (c *chunk) merge(other chunk) {
	c.Seeds += other.Seeds
	c.Events += other.Events
	c.SimulatedSeconds += other.SimulatedSeconds
	c.Promises += other.Promises
	c.Linearized.add(other.Linearized)
	c.TookSeconds += other.TookSeconds
	c.Broken = append(c.Broken, other.Broken...)
	for name, n := range other.Faults {
		c.Faults[name] += n
	}
}

// row is the chunk as a line of the table. Of a commit seven digits are enough.
func (c *chunk) row() string {
	name, _, changed := strings.Cut(c.Commit, " ")
	if len(name) == 40 {
		name = name[:7]
	}
	if changed {
		name += " and changes"
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %d |\n", name, thousands(c.Seeds), thousands(c.Events),
		thousands(uint64(c.SimulatedSeconds/3600)), thousands(uint64(c.Promises)), len(c.Broken))
}

// thousands writes a number for people: 1,234,567.
func thousands(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
