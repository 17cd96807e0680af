package doctor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Finding is one thing that was found.
type Finding struct {
	// Check is its kind: a key of Checks.
	Check    string   `json:"check"`
	Severity Severity `json:"severity"`
	// Invariant it breaks; empty for none.
	Invariant string `json:"invariant,omitempty"`
	// Where it is: an execution, a row or a file.
	Where string `json:"where"`
	// What is wrong there.
	What string `json:"what"`
}

// Report is the outcome of an examination.
type Report struct {
	Folder string `json:"folder"`
	// Format of the store; 0 when it could not be opened.
	Format int    `json:"format"`
	Epoch  uint64 `json:"epoch"`
	Tables int    `json:"tables"`
	// Rows of each family that were read.
	Rows       map[string]int `json:"rows"`
	Namespaces int            `json:"namespaces"`
	Workflows  Count          `json:"workflows"`
	Activities Count          `json:"activities"`
	Events     int            `json:"events"`
	IndexRows  int            `json:"indexRows"`
	// Findings, the gravest first. Of each kind the first MaxPerCheck are kept.
	Findings []Finding `json:"findings"`
	// Counts of all findings by kind.
	Counts map[string]int `json:"counts"`
}

// Count of runs.
type Count struct {
	Runs int `json:"runs"`
	Open int `json:"open"`
}

// MaxPerCheck bounds how many findings of a kind a report holds; Counts has them
// all. Behind one damaged table there may be millions.
const MaxPerCheck = 100

// find adds a finding.
func (r *Report) find(check, where, format string, args ...any) {
	r.Counts[check]++
	if r.Counts[check] > MaxPerCheck {
		return
	}
	c := Checks[check]
	r.Findings = append(r.Findings, Finding{
		Check: check, Severity: c.Severity, Invariant: c.Invariant, Where: where, What: fmt.Sprintf(format, args...),
	})
}

var gravity = map[Severity]int{Damage: 2, Rebuild: 1, Note: 0}

// order puts the gravest findings first.
func (r *Report) order() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(gravity[b.Severity]-gravity[a.Severity], strings.Compare(a.Check, b.Check))
	})
}

// Worst is the gravest severity among the findings; empty when there are none.
func (r *Report) Worst() (worst Severity) {
	for _, f := range r.Findings {
		if worst == "" || gravity[f.Severity] > gravity[worst] {
			worst = f.Severity
		}
	}
	return worst
}

// The exit codes of `perdure doctor`. 1 means that the folder could not be
// examined: it is in use, or not there.
const (
	ExitSound   = 0
	ExitRebuild = 2
	ExitDamage  = 3
)

// ExitCode is that of `perdure doctor`.
func (r *Report) ExitCode() int {
	switch r.Worst() {
	case Damage:
		return ExitDamage
	case Rebuild:
		return ExitRebuild
	}
	return ExitSound
}

// JSON writes the report for a program.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		*Report
		Verdict string `json:"verdict"`
	}{r, r.verdict()})
}

func (r *Report) verdict() string {
	switch r.Worst() {
	case Damage:
		return "damaged"
	case Rebuild:
		return "rebuild"
	}
	return "sound"
}

// Print writes the report for a person who was woken up.
func (r *Report) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-11s %s\n", "folder", r.Folder)
	if r.Format > 0 {
		fmt.Fprintf(&b, "%-11s format %d, %d tables, %d owners so far\n", "store", r.Format, r.Tables, r.Epoch)
		fmt.Fprintf(&b, "%-11s %s\n", "rows", r.rows())
		fmt.Fprintf(&b, "%-11s %d runs of workflows (%d open) with %d events, %d of activities (%d open), in %d namespaces\n", "executions",
			r.Workflows.Runs, r.Workflows.Open, r.Events, r.Activities.Runs, r.Activities.Open, r.Namespaces)
		fmt.Fprintf(&b, "%-11s %d rows\n", "index", r.IndexRows)
	}
	for i, f := range r.Findings {
		if i == 0 || r.Findings[i-1].Check != f.Check {
			r.heading(&b, f)
		}
		fmt.Fprintf(&b, "  - %s\n    %s\n", f.Where, f.What)
		if last := i+1 == len(r.Findings) || r.Findings[i+1].Check != f.Check; last && r.Counts[f.Check] > MaxPerCheck {
			fmt.Fprintf(&b, "  - and %d more of these\n", r.Counts[f.Check]-MaxPerCheck)
		}
	}
	fmt.Fprintf(&b, "\n%s\n", r.summary())
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) heading(b *strings.Builder, f Finding) {
	c := Checks[f.Check]
	breaks := ""
	if c.Invariant != "" {
		breaks = ", breaks " + c.Invariant
	}
	fmt.Fprintf(b, "\n%s  %s (%d%s)\n  %s\n  What to do: %s\n", strings.ToUpper(string(c.Severity)), f.Check, r.Counts[f.Check], breaks, c.Means, c.Advice)
}

func (r *Report) rows() string {
	var parts []string
	for _, f := range families {
		parts = append(parts, fmt.Sprintf("%s %d", f.name, r.Rows[f.name]))
	}
	return strings.Join(parts, ", ")
}

func (r *Report) summary() string {
	switch r.Worst() {
	case Damage:
		return "DAMAGED: something acknowledged is lost or wrong; see above."
	case Rebuild:
		return "REBUILD: the executions are sound; what is derived from them is to be made anew."
	case Note:
		return "SOUND: nothing is damaged and every invariant holds. The notes above need no action."
	}
	return "SOUND: nothing is damaged and every invariant holds."
}
