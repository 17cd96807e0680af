package visibility

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/visibility/filter"
)

// maxPage is the largest page, and what a request for none or more gets (V-2).
const maxPage = 1000

// ListRequest asks for a page of executions.
type ListRequest struct {
	Namespace *engine.Namespace
	// Archetype of the executions. Defaults to workflows.
	Archetype engine.Archetype
	// Query is the list filter; empty means all.
	Query string
	// PageSize; 0 or less and more than 1000 mean 1000.
	PageSize int
	// Token of the page before, empty for the first.
	Token []byte
}

// Page is a page of executions, open ones first, then newest first (V-3).
type Page struct {
	// Executions are workflows, Activities those that stand alone: what the
	// request's archetype says.
	Executions []*workflowpb.WorkflowExecutionInfo
	Activities []*activitypb.ActivityExecutionListInfo
	// Token asks for the next page. Empty exactly when this page is not full.
	Token []byte
}

// List returns a page of the executions that match. Everything appended to the
// feed before the call is seen. Refusals: KindInvalidArgument for a bad query or
// token, KindUnavailable while the index is behind or being built.
func (x *Index) List(ctx context.Context, req ListRequest) (*Page, error) {
	size := req.PageSize
	if size <= 0 || size > maxPage {
		size = maxPage
	}
	s, err := listStatement(req, size)
	if err != nil {
		return nil, asRefusal(err)
	}
	f, err := x.ready(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := f.list(ctx, s)
	if err != nil {
		return nil, x.queryFault(ctx, f, "list", err)
	}
	page, err := pageOf(scopeOf(req.Namespace, req.Archetype), rows)
	if err != nil {
		return nil, x.queryFault(ctx, f, "list", err)
	}
	if len(rows) == size {
		last := rows[size-1]
		page.Token = encodeToken(cursor{Close: last.close, Start: last.start, RunID: last.runID})
	}
	return page, nil
}

// pageOf is rows as the API shows them.
func pageOf(s scope, rows []listed) (*Page, error) {
	page := new(Page)
	for _, r := range rows {
		if s.archetype == engine.ArchetypeActivity {
			info, err := r.activity(s.ns)
			if err != nil {
				return nil, err
			}
			page.Activities = append(page.Activities, info)
			continue
		}
		info, err := r.info(s.ns)
		if err != nil {
			return nil, err
		}
		page.Executions = append(page.Executions, info)
	}
	return page, nil
}

func listStatement(req ListRequest, size int) (*statement, error) {
	q, err := filter.Parse(req.Query)
	if err != nil {
		return nil, err
	}
	if len(q.GroupBy) > 0 {
		return nil, filter.Errorf("operation is not supported: 'GROUP BY' clause")
	}
	s := &statement{scope: scopeOf(req.Namespace, req.Archetype)}
	s.add("SELECT run_id, close, start, status, version, details, checksum FROM run WHERE ")
	if err := s.where(q); err != nil {
		return nil, err
	}
	if len(req.Token) > 0 {
		c, err := decodeToken(req.Token)
		if err != nil {
			return nil, err
		}
		// The first term says nothing new, but lets the index begin there.
		s.add(" AND close <= ? AND (close < ? OR start < ? OR start = ? AND run_id > ?)", c.Close, c.Close, c.Start, c.Start, c.RunID)
	}
	s.add(" ORDER BY close DESC, start DESC, run_id LIMIT ?", size)
	return s, nil
}

// list reads rows and checks them.
func (f *file) list(ctx context.Context, s *statement) (list []listed, err error) {
	rows, err := f.readers.QueryContext(ctx, s.text.String(), s.args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var l listed
		var sum int64
		if err := rows.Scan(&l.runID, &l.close, &l.start, &l.status, &l.version, &l.details, &sum); err != nil {
			return nil, err
		}
		if int64(checksum(nil, l)) != sum {
			return nil, fmt.Errorf("row of run %s: checksum: %w", l.runID, errDamaged)
		}
		list = append(list, l)
	}
	return list, rows.Err()
}

// info is the execution as the API shows it. Attributes that the namespace no
// longer has are left out (SA-22).
func (l *listed) info(ns *engine.Namespace) (*workflowpb.WorkflowExecutionInfo, error) {
	info := new(workflowpb.WorkflowExecutionInfo)
	if err := proto.Unmarshal(l.details, info); err != nil {
		return nil, fmt.Errorf("row of run %s: %w: %w", l.runID, errDamaged, err)
	}
	if info.Memo == nil {
		info.Memo = &commonpb.Memo{}
	}
	info.SearchAttributes = shown(ns, info.GetSearchAttributes())
	return info, nil
}

// ready waits until the index is whole and has what was appended before the
// call, and returns its file.
func (x *Index) ready(ctx context.Context) (*file, error) {
	if err := x.feed.flush(ctx); err != nil {
		return nil, err
	}
	err := x.feed.wait(ctx, "visibility index is being built, please retry", func() bool {
		f := x.file.Load()
		return f == nil || f.complete.Load() && !f.damaged.Load()
	})
	if err != nil {
		return nil, err
	}
	f := x.file.Load()
	if f == nil {
		return nil, engine.Refuse(engine.KindUnavailable, "visibility index is closed")
	}
	return f, nil
}

// queryFault is what a caller gets to know of a failed query.
func (x *Index) queryFault(ctx context.Context, f *file, doing string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if isDamage(err) {
		f.damaged.Store(true)
		x.feed.kick()
	}
	x.options.Log.Error("visibility index", "doing", doing, "error", err)
	return engine.Refuse(engine.KindUnavailable, "visibility index cannot be read, please retry")
}

// asRefusal turns what is wrong with a query into a refusal.
func asRefusal(err error) error {
	var bad *filter.Error
	if errors.As(err, &bad) {
		return engine.Refuse(engine.KindInvalidArgument, "%s", bad.Error())
	}
	return err
}

// cursor is the last row of a page (V-4). Rows that come or go meanwhile do not
// shift the pages.
type cursor struct {
	Close int64  `json:"c"`
	Start int64  `json:"s"`
	RunID string `json:"r"`
}

func encodeToken(c cursor) []byte {
	token, err := json.Marshal(c)
	if err != nil { // numbers and a string always have a JSON form
		panic(err)
	}
	return token
}

func decodeToken(token []byte) (c cursor, err error) {
	if err := json.Unmarshal(token, &c); err != nil || c.RunID == "" {
		return c, engine.Invalid("invalid next_page_token")
	}
	return c, nil
}
