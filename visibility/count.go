package visibility

import (
	"context"
	"errors"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/searchattr"
	"github.com/perdure/perdure/visibility/filter"
)

// CountRequest asks how many executions match.
type CountRequest struct {
	Namespace *engine.Namespace
	// Archetype of the executions. Defaults to workflows.
	Archetype engine.Archetype
	// Query is the list filter, with GROUP BY at its end if wanted.
	Query string
}

// Count is how many there are; with GROUP BY also of each group that has any
// (V-30).
type Count struct {
	Total  int64
	Groups []Group
}

// Group is the executions that have the same value of an attribute.
type Group struct {
	// Value is typed Keyword; null for executions without one.
	Value *commonpb.Payload
	Count int64
}

// Count counts the executions that match. Everything appended to the feed before
// the call is seen. Refusals as for List.
func (x *Index) Count(ctx context.Context, req CountRequest) (*Count, error) {
	s, grouped, err := countStatement(req)
	if err != nil {
		return nil, asRefusal(err)
	}
	f, err := x.ready(ctx)
	if err != nil {
		return nil, err
	}
	count, err := f.count(ctx, s, grouped)
	if err != nil {
		return nil, x.queryFault(ctx, f, "count", err)
	}
	return count, nil
}

func countStatement(req CountRequest) (s *statement, grouped string, err error) {
	q, err := filter.Parse(req.Query)
	if err != nil {
		return nil, "", err
	}
	s = &statement{scope: scopeOf(req.Namespace, req.Archetype)}
	grouped, err = s.groupColumn(q.GroupBy)
	if err != nil {
		return nil, "", err
	}
	if grouped == "" {
		s.add("SELECT NULL, count(*) FROM run WHERE ")
	} else {
		s.add("SELECT " + grouped + ", count(*) FROM run WHERE ")
	}
	if err := s.where(q); err != nil {
		return nil, "", err
	}
	if grouped != "" {
		s.add(" GROUP BY 1 ORDER BY 1")
	}
	return s, grouped, nil
}

// groupColumn is V-23: one field, and only one of two.
func (s scope) groupColumn(names []string) (column string, err error) {
	switch len(names) {
	case 0:
		return "", nil
	case 1:
	default:
		return "", filter.Errorf("operation is not supported: 'GROUP BY' clause supports only a single field")
	}
	a, err := s.resolve(names[0])
	if err != nil {
		return "", err
	}
	if a.name != "ExecutionStatus" && a.name != searchattr.Division {
		return "", filter.Errorf("operation is not supported: 'GROUP BY' clause is not supported for search attribute %s", a.name)
	}
	return a.column, nil
}

func (f *file) count(ctx context.Context, s *statement, grouped string) (count *Count, err error) {
	rows, err := f.readers.QueryContext(ctx, s.text.String(), s.args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	count = new(Count)
	for rows.Next() {
		var value any
		var n int64
		if err := rows.Scan(&value, &n); err != nil {
			return nil, err
		}
		count.Total += n
		if grouped != "" {
			count.Groups = append(count.Groups, Group{Value: groupValue(value), Count: n})
		}
	}
	return count, rows.Err()
}

// groupValue is a group's value as a payload: a status by its name, which is the
// same for every archetype.
func groupValue(value any) *commonpb.Payload {
	if status, ok := value.(int64); ok {
		value = enumspb.WorkflowExecutionStatus(status).String()
	}
	return searchattr.Encode(value, enumspb.INDEXED_VALUE_TYPE_KEYWORD)
}
