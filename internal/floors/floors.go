// Package floors is the plan of the house as a table: which package may import
// which. Imports go down; never up, never in a circle, and sideways only where
// the table says so. A test compares it with what `go list` finds. Changing the
// table is a design decision and carries its reason.
package floors

import (
	"fmt"
	"slices"
	"strings"
)

// Module is the path of this module.
const Module = "github.com/perdure/perdure"

// Area is a folder of the module with all below it, unless a longer Path says
// otherwise.
type Area struct {
	Path  string
	Floor int
	// Beside are the areas of the same floor that may be imported, and why.
	Beside map[string]string
	// Only, if set, lists the areas of this module that may be imported at all.
	Only []string
	// Never lists folders that may not be imported though they lie below, neither
	// by this area nor by one inside its folder.
	Never []string
	// By, if set, lists the areas that may import this one, tests aside.
	By []string
}

// Floors. What stands beside the building may import all of it.
const (
	brick    = 0
	contract = 1
	machine  = 2
	bytes    = 3
	shell    = 4
	edge     = 5
	root     = 6
	command  = 7
	outside  = 8
)

// nobody imports an area but what lies in it.
var nobody = []string{}

// Plan is the house, from the ground up.
var Plan = []Area{
	{Path: "internal", Floor: brick},

	// The core does not know that bytes exist, nor the store that workflows do.
	{Path: "engine", Floor: contract, Never: []string{"store"}},
	{Path: "store", Floor: contract, Never: []string{"engine"}},

	// The machines, and the leaves of rules they share.
	{Path: "engine/cron", Floor: machine},
	{Path: "engine/duration", Floor: machine},
	{Path: "engine/priority", Floor: machine, Beside: leaves("a priority is checked beside others")},
	{Path: "engine/retry", Floor: machine, Beside: leaves("a retry policy is made of durations")},
	{Path: "engine/searchattr", Floor: machine, Beside: leaves("attributes are checked beside others")},
	{Path: "engine/taskqueue", Floor: machine, Beside: leaves("queue names are checked beside others")},
	{Path: "engine/versioning", Floor: machine},
	{Path: "engine/callback", Floor: machine, Beside: leaves("tries back off")},
	{Path: "engine/activity", Floor: machine, Beside: leaves("attempts back off, and options are checked")},
	{Path: "engine/workflow", Floor: machine, Beside: with(leaves("a command is checked by the shared rules"),
		"engine/activity", "a workflow contains activities")},
	{Path: "engine/standalone", Floor: machine, Beside: with(leaves("a start is checked by the shared rules"),
		"engine/activity", "an activity that stands alone is one")},
	{Path: "store/memstore", Floor: machine},
	{Path: "store/pebblestore", Floor: machine},
	{Path: "store/sqlstore", Floor: machine},

	{Path: "record", Floor: bytes},

	{Path: "timers", Floor: shell},
	{Path: "shard", Floor: shell, Beside: map[string]string{"timers": "a shard keeps its deadlines in it"}},
	{Path: "matching", Floor: shell, Beside: map[string]string{"shard": "the contract types of shard/contract.go"}},
	{Path: "visibility", Floor: shell, Beside: map[string]string{"shard": "the contract types of shard/contract.go"}},
	{Path: "registry", Floor: shell},
	{Path: "callbacks", Floor: shell},

	{Path: "frontend", Floor: edge},
	{Path: "web", Floor: edge},
	{Path: "cluster", Floor: edge},

	{Path: "config", Floor: root},
	{Path: "server", Floor: root, Beside: map[string]string{"config": "it is built from one"}},

	{Path: "doctor", Floor: root, By: []string{"cmd"}},

	// Clients: the API, the official SDK, and nothing of ours but server.
	{Path: "bench", Floor: command, Only: []string{"server"}, By: []string{"cmd"}},
	{Path: "demo", Floor: command, Only: []string{"server"}, By: []string{"cmd"}},
	{Path: "examples", Floor: command, Only: []string{"server"}, By: nobody},
	{Path: "cmd", Floor: command, By: nobody, Beside: map[string]string{
		"bench": "perdure bench", "demo": "perdure demo",
	}},

	// Beside the building: these import what they like, and only tests import them.
	{Path: "sim", Floor: outside, By: nobody},
	{Path: "e2e", Floor: outside, By: nobody},
	{Path: "store/storetest", Floor: outside, By: nobody},
	{Path: "engine/activity/activitytest", Floor: outside, By: nobody},
}

// leaves are the small packages of shared rules on the machines' floor, which
// import nothing of that floor but one another.
func leaves(why string) map[string]string {
	m := make(map[string]string)
	for _, leaf := range []string{"callback", "cron", "duration", "priority", "retry", "searchattr", "taskqueue", "versioning"} {
		m["engine/"+leaf] = why
	}
	return m
}

func with(m map[string]string, area, why string) map[string]string {
	m[area] = why
	return m
}

// Of finds the area of a package, given by its path in the module.
func Of(pkg string) (Area, bool) {
	best := -1
	for i, a := range Plan {
		if within(pkg, a.Path) && (best < 0 || len(a.Path) > len(Plan[best].Path)) {
			best = i
		}
	}
	if best < 0 {
		return Area{}, false
	}
	return Plan[best], true
}

// Check says what is wrong with one package importing another, both given by
// their import paths; nil for nothing. Imports from outside the module are right.
func Check(importer, imported string) error {
	from, to := strings.TrimPrefix(importer, Module+"/"), strings.TrimPrefix(imported, Module+"/")
	if to == imported {
		return nil
	}
	a, ok := Of(from)
	if !ok {
		return fmt.Errorf("%s has no floor; put it into the plan", from)
	}
	b, ok := Of(to)
	if !ok {
		return fmt.Errorf("%s has no floor; put it into the plan", to)
	}
	if a.Path == b.Path {
		return nil
	}
	if forbidden(from, to) {
		return fmt.Errorf("%s must not know %s", from, to)
	}
	return a.mayImport(b, from, to)
}

func forbidden(from, to string) bool {
	for _, a := range Plan {
		if within(from, a.Path) && slices.ContainsFunc(a.Never, func(folder string) bool { return within(to, folder) }) {
			return true
		}
	}
	return false
}

func (a Area) mayImport(b Area, from, to string) error {
	switch {
	case a.Only != nil && !slices.Contains(a.Only, b.Path):
		return fmt.Errorf("%s may import only %v of this module, not %s", from, a.Only, to)
	case b.By != nil && !slices.Contains(b.By, a.Path) && a.Floor != outside:
		return fmt.Errorf("%s is imported by %v and tests alone, not by %s", to, b.By, from)
	case b.Floor > a.Floor:
		return fmt.Errorf("%s on floor %d imports %s above it on floor %d", from, a.Floor, to, b.Floor)
	case b.Floor == a.Floor && a.Floor != outside && a.Beside[b.Path] == "":
		return fmt.Errorf("%s imports %s beside it; the plan does not say so", from, to)
	}
	return nil
}

// within reports whether the package is the area or lies below it.
func within(pkg, area string) bool {
	return pkg == area || strings.HasPrefix(pkg, area+"/")
}
