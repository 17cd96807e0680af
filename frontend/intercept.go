package frontend

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const apiPrefix = "/temporal.api."

// intercept stands before every handler of the API; package comment, step 1.
func (f *Frontend) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	if !strings.HasPrefix(info.FullMethod, apiPrefix) {
		return handler(ctx, req) // health, reflection
	}
	c := f.callIn(ctx, info.FullMethod)
	began := time.Now()
	c.metrics.began()
	resp, err = f.guarded(c, req, handler)
	if err != nil {
		resp, err = nil, f.answerError(c, err)
	}
	c.metrics.ended(c.namespaceName(), began, err)
	if f.log.Enabled(c, slog.LevelDebug) {
		f.log.LogAttrs(c, slog.LevelDebug, "call", slog.String("operation", c.name),
			slog.String("namespace", c.namespaceName()), slog.Duration("took", time.Since(began)),
			slog.String("code", status.Code(err).String()))
	}
	return resp, err
}

// guarded runs admission and handler, and turns a panic into an error: one bad
// request must not take the others' server away.
func (f *Frontend) guarded(c *call, req any, handler grpc.UnaryHandler) (resp any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in %s: %v\n%s", c.name, p, debug.Stack())
		}
	}()
	sizeBytes := f.large.take(req)
	if err := f.admit(c, req); err != nil {
		return nil, err
	}
	if sizeBytes > 0 {
		if err := f.admitLarge(c, sizeBytes); err != nil {
			return nil, err
		}
		defer f.large.bytes.Add(-sizeBytes)
	}
	return handler(c, req)
}

// admit says whether the call may reach its handler.
func (f *Frontend) admit(c *call, req any) error {
	if !f.serving.Load() {
		return status.Error(codes.Unavailable, "Frontend is not healthy yet")
	}
	if err := handshake(&c.client); err != nil {
		return err
	}
	if err := f.resolve(c, req); err != nil {
		return err
	}
	if c.bringsWork {
		return f.pressure()
	}
	return nil
}

// bringsWork are the operations that are so; see rpc.
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
func (f *Frontend) answerError(c *call, err error) error {
	st, fault := statusOf(err)
	if fault {
		f.log.LogAttrs(c, slog.LevelError, "fault", slog.String("operation", c.name),
			slog.String("namespace", c.namespaceName()), slog.String("mark", faultMark(err)), slog.String("error", err.Error()))
	}
	if cause, scope, ok := exhaustedOf(st); ok {
		// Only fails outside a gRPC call (the HTTP gateway's short cut), where
		// the detail says the same.
		_ = grpc.SetTrailer(c, metadata.Pairs("X-Resource-Exhausted-Cause", cause, "X-Resource-Exhausted-Scope", scope))
	}
	return st.Err()
}
