package frontend

import (
	"context"
	"fmt"
	"log/slog"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/perdure/perdure/engine"
)

// call is what we know of the call being answered; it travels in the context.
type call struct {
	operation string // the RPC's short name
	// namespace the call is about; nil for calls that have none.
	namespace *engine.Namespace
}

type callKey struct{}

// callOf is the call a context belongs to; never nil.
func callOf(ctx context.Context) *call {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c
	}
	return &call{}
}

// namespaceOf is the namespace of the call. Calls whose request names one have
// it by the time their handler runs.
func namespaceOf(ctx context.Context) *engine.Namespace { return callOf(ctx).namespace }

const apiPrefix = "/temporal.api."

// intercept stands before every handler of the API; package comment, step 1.
func (f *Frontend) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	if !strings.HasPrefix(info.FullMethod, apiPrefix) {
		return handler(ctx, req) // health, reflection
	}
	c := &call{operation: path.Base(info.FullMethod)}
	ctx = context.WithValue(ctx, callKey{}, c)
	began := time.Now()
	f.metrics.began(c)
	resp, err = f.guarded(ctx, c, req, handler)
	if err != nil {
		resp, err = nil, f.answerError(ctx, c, err)
	}
	f.metrics.ended(c, began, err)
	if f.log.Enabled(ctx, slog.LevelDebug) {
		f.log.LogAttrs(ctx, slog.LevelDebug, "call", slog.String("operation", c.operation),
			slog.String("namespace", c.namespaceName()), slog.Duration("took", time.Since(began)),
			slog.String("code", status.Code(err).String()))
	}
	return resp, err
}

func (c *call) namespaceName() string {
	if c.namespace == nil {
		return ""
	}
	return c.namespace.Name
}

// guarded runs admission and handler, and turns a panic into an error: one bad
// request must not take the others' server away.
func (f *Frontend) guarded(ctx context.Context, c *call, req any, handler grpc.UnaryHandler) (resp any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in %s: %v\n%s", c.operation, p, debug.Stack())
		}
	}()
	if err := f.admit(ctx, c, req); err != nil {
		return nil, err
	}
	done, err := f.admitSize(c, req)
	if err != nil {
		return nil, err
	}
	defer done()
	return handler(ctx, req)
}

// admit says whether the call may reach its handler.
func (f *Frontend) admit(ctx context.Context, c *call, req any) error {
	if !f.serving.Load() {
		return status.Error(codes.Unavailable, "Frontend is not healthy yet")
	}
	if err := handshake(ctx); err != nil {
		return err
	}
	if err := f.resolve(c, req); err != nil {
		return err
	}
	if bringsWork[c.operation] {
		return f.pressure()
	}
	return nil
}

// bringsWork are the calls that make the server keep more than before and that
// it can do without when it is short of something. What finishes work, cancels
// it or only reads is not among them.
var bringsWork = map[string]bool{
	"StartWorkflowExecution":           true,
	"SignalWithStartWorkflowExecution": true,
	"SignalWorkflowExecution":          true,
	"UpdateWorkflowExecution":          true,
	"ExecuteMultiOperation":            true,
	"ResetWorkflowExecution":           true,
	"StartActivityExecution":           true,
	"RegisterNamespace":                true,
}

// answerError turns an error into what the caller gets; what it must not see
// goes to the log.
func (f *Frontend) answerError(ctx context.Context, c *call, err error) error {
	st, fault := statusOf(err)
	if fault {
		f.log.LogAttrs(ctx, slog.LevelError, "fault", slog.String("operation", c.operation),
			slog.String("namespace", c.namespaceName()), slog.String("mark", faultMark(err)), slog.String("error", err.Error()))
	}
	if cause, scope, ok := exhaustedOf(st); ok {
		// Only fails outside a gRPC call (the HTTP gateway's short cut), where
		// the detail says the same.
		_ = grpc.SetTrailer(ctx, metadata.Pairs("X-Resource-Exhausted-Cause", cause, "X-Resource-Exhausted-Scope", scope))
	}
	return st.Err()
}
