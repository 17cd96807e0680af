package frontend

import (
	"context"
	"path"

	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/tap"

	"github.com/perdure/perdure/engine"
)

// rpc is what is known of an RPC before it is called.
type rpc struct {
	name string // its short name
	// bringsWork: it makes the server keep more than before, and can wait when
	// that is short of something. What finishes work, cancels it or only reads
	// is not like that.
	bringsWork bool
	// startsWork: a deprecated namespace refuses it.
	startsWork bool
	// findsNamespace: its handler looks the namespace up itself: it takes an id
	// too, or makes it, or allows none.
	findsNamespace bool
	metrics        *rpcMetrics
}

func (f *Frontend) rpc(name string) *rpc {
	return &rpc{
		name: name, bringsWork: bringsWork[name], startsWork: startsWork[name], findsNamespace: findsNamespace[name],
		metrics: f.metrics.rpc(name),
	}
}

// allRPCs are the RPCs of the API by their full names.
func (f *Frontend) allRPCs() map[string]*rpc {
	all := make(map[string]*rpc)
	for _, s := range []*grpc.ServiceDesc{&workflowservice.WorkflowService_ServiceDesc, &operatorservice.OperatorService_ServiceDesc} {
		for _, m := range s.Methods {
			all["/"+s.ServiceName+"/"+m.MethodName] = f.rpc(m.MethodName)
		}
	}
	return all
}

// call is what we know of the call being answered. It is the context of its
// handler, so that nobody need look for it below those that gRPC has put on top.
type call struct {
	context.Context // set when the call comes to its interceptor
	*rpc
	client clientHeaders
	// namespace the call is about; nil for calls that have none, and until it is
	// resolved.
	namespace *engine.Namespace
}

// clientHeaders are the headers we read; those that a client does not send are
// empty.
type clientHeaders struct{ name, version, supportedVersions, supportedFeatures string }

// tapped is the context of a call until it comes to its interceptor: one object
// with the call, where context.WithValue makes another.
type tapped struct {
	context.Context
	call call
}

type callKey struct{}

// Value implements context.Context.
func (t *tapped) Value(key any) any {
	if key == (callKey{}) {
		return &t.call
	}
	return t.Context.Value(key)
}

// callOf is the call a context belongs to; never nil.
func callOf(ctx context.Context) *call {
	if c, ok := ctx.(*call); ok {
		return c
	}
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c
	}
	return &call{rpc: &rpc{}}
}

// namespaceOf is the namespace of the call. Calls whose request names one have
// it by the time their handler runs.
func namespaceOf(ctx context.Context) *engine.Namespace { return callOf(ctx).namespace }

func (c *call) namespaceName() string {
	if c.namespace == nil {
		return ""
	}
	return c.namespace.Name
}

// tap sees each call's headers before anybody else does, and notes those we read.
// Asked for one by one later, through the context, each is copied, and one that
// is missing is looked for among all of them: 2 % of the CPU of a short workflow.
// It runs on the connection's reader.
func (f *Frontend) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	if r := f.rpcs[info.FullMethodName]; r != nil {
		ctx = withCall(ctx, r, info.Header)
	}
	return ctx, nil
}

func withCall(ctx context.Context, r *rpc, headers metadata.MD) context.Context {
	return &tapped{Context: ctx, call: call{rpc: r, client: clientHeaders{
		name: first(headers[headerClientName]), version: first(headers[headerClientVersion]),
		supportedVersions: first(headers[headerSupportedVersions]), supportedFeatures: first(headers[headerSupportedFeatures]),
	}}}
}

// callIn is the call that a context carries, made from the headers in it where
// nobody has tapped them: the HTTP gateway calls without a connection. From now on
// it is the context itself.
func (f *Frontend) callIn(ctx context.Context, fullMethod string) *call {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		r := f.rpcs[fullMethod]
		if r == nil {
			r = f.rpc(path.Base(fullMethod))
		}
		headers, _ := metadata.FromIncomingContext(ctx)
		ctx = withCall(ctx, r, headers)
		c = callOf(ctx)
	}
	c.Context = ctx
	return c
}
