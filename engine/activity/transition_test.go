package activity

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/perdure/perdure/internal/invariant"
)

// The table of transitions in doc.go and the list in the code are the same list,
// and each of them is in the diagram.
func TestTheDiagramShowsTheTransitions(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var drawn []string
	row := regexp.MustCompile(`^//\t(\w+) +([a-z, ]+?) +-> (\w+) `)
	for _, line := range strings.Split(string(doc), "\n") {
		if m := row.FindStringSubmatch(line); m != nil {
			drawn = append(drawn, m[1]+": "+m[2]+" -> "+m[3])
		}
	}
	names := map[Status]string{statusNone: "none", StatusQueued: "queued", StatusStarted: "started"}
	var coded []string
	for _, tr := range allTransition {
		var from []string
		for _, s := range tr.from {
			from = append(from, names[s])
		}
		coded = append(coded, tr.name+": "+strings.Join(from, ", ")+" -> "+names[tr.to])
	}
	slices.Sort(drawn)
	slices.Sort(coded)
	if !slices.Equal(drawn, coded) {
		t.Errorf("doc.go says\n%s\nthe code says\n%s", strings.Join(drawn, "\n"), strings.Join(coded, "\n"))
	}
}

// A transition from where it does not start is a bug, and is not made.
func TestTransitionsStartFromTheirStatus(t *testing.T) {
	for _, tr := range allTransition {
		for _, from := range []Status{statusNone, StatusQueued, StatusStarted} {
			if slices.Contains(tr.from, from) {
				continue
			}
			func() {
				defer func() {
					if _, broken := recover().(invariant.Broken); !broken {
						t.Errorf("%s from status %d", tr.name, from)
					}
				}()
				tr.move(&State{Status: from}, func(*State) {})
			}()
		}
	}
}
