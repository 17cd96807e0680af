package visibility

import (
	"path/filepath"
	"strings"
	"testing"
)

// A page of what people and the UI ask for is read from an index in the order of
// the list, without sorting, however many runs there are.
func TestPlans(t *testing.T) {
	f, err := openFile(filepath.Join(t.TempDir(), "v.db"), 1, maxVerifyBytes)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.close(); err != nil {
			t.Error(err)
		}
	}()
	token := encodeToken(cursor{Close: 5, Start: 4, RunID: "r"})
	for query, index := range map[string]string{
		"":                                   "run_order (namespace=? AND archetype=?",
		"ExecutionStatus = 'Running'":        "run_order (namespace=? AND archetype=? AND close=?",
		"ExecutionStatus = 'Completed'":      "run_order (namespace=? AND archetype=?",
		"ExecutionStatus = 'Failed'":         "run_status (namespace=? AND archetype=? AND status=?",
		"ExecutionStatus != 'Completed'":     "run_order (namespace=? AND archetype=?",
		"WorkflowType = 'T'":                 "run_type (namespace=? AND archetype=? AND type=?",
		"CloseTime > '2026-01-01T00:00:00Z'": "run_order (namespace=? AND archetype=? AND close>?",
	} {
		for _, token := range [][]byte{nil, token} {
			s, err := listStatement(ListRequest{Namespace: testSpaces()["ns-1"], Query: query, Token: token}, 10)
			if err != nil {
				t.Fatal(err)
			}
			if plan := explain(t, f, s); !strings.Contains(plan, "SEARCH run USING INDEX "+index) || strings.Contains(plan, "TEMP B-TREE") {
				t.Errorf("%s, page %t: %s", query, token != nil, plan)
			}
		}
	}
	// Of what is rare all is read, and sorted.
	for query, index := range map[string]string{
		"WorkflowId = 'w'": "run USING INDEX run_workflow (namespace=? AND archetype=? AND workflow_id=?",
		"WorkflowId = 'w' AND ExecutionStatus = 'Running'": "run USING INDEX run_workflow (namespace=? AND archetype=? AND workflow_id=?",
		"WorkflowId STARTS_WITH 'w'":                       "run USING INDEX run_workflow (namespace=? AND archetype=? AND workflow_id>?",
		"WorkflowId = 'w' AND RunId = 'r'":                 "run USING INDEX run_key (run_id=? AND namespace=? AND archetype=? AND workflow_id=?",
		"WorkflowId = 'w' OR RunId = 'r'":                  "run USING INDEX run_key (run_id=?",
		"RunId = 'r'":                                      "run USING INDEX run_key (run_id=? AND namespace=? AND archetype=?",
		"ParentWorkflowId = 'w'":                           "run USING INDEX run_parent (namespace=? AND parent_workflow_id=?",
		"RootWorkflowId = 'w'":                             "run USING INDEX run_root",
		"CK = 'v'":                                         "value USING COVERING INDEX value_run (field=? AND value=?",
		"CK = 'v' AND ExecutionStatus = 'Running'":         "run USING INTEGER PRIMARY KEY",
	} {
		s, err := listStatement(ListRequest{Namespace: testSpaces()["ns-1"], Query: query}, 10)
		if err != nil {
			t.Fatal(err)
		}
		if plan := explain(t, f, s); !strings.Contains(plan, "SEARCH "+index) {
			t.Errorf("%s: %s", query, plan)
		}
	}
}

// explain is how SQLite means to carry a statement out.
func explain(t *testing.T, f *file, s *statement) string {
	t.Helper()
	rows, err := f.readers.Query("EXPLAIN QUERY PLAN "+s.text.String(), s.args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "; ")
}
