package frontend

import (
	"context"

	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// inproc is a gRPC connection to this very frontend without a wire: the HTTP
// gateway calls through it, so that its calls pass the same admission, metrics
// and error table as those that come by gRPC.
type inproc struct {
	frontend *Frontend
	methods  map[string]inprocMethod
}

type inprocMethod struct {
	server  any
	handler grpc.MethodHandler
}

func newInproc(f *Frontend) *inproc {
	c := &inproc{frontend: f, methods: map[string]inprocMethod{}}
	for _, s := range []struct {
		desc   *grpc.ServiceDesc
		server any
	}{
		{&workflowservice.WorkflowService_ServiceDesc, f},
		{&operatorservice.OperatorService_ServiceDesc, f.operator},
	} {
		for _, m := range s.desc.Methods {
			c.methods["/"+s.desc.ServiceName+"/"+m.MethodName] = inprocMethod{s.server, m.Handler}
		}
	}
	return c
}

// Invoke implements grpc.ClientConnInterface. The answer is encoded and decoded
// once: histories carry stored bytes that only then become events.
func (c *inproc) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	m, ok := c.methods[method]
	if !ok {
		return serviceerror.ToStatus(serviceerror.NewUnimplementedf("unknown method %s", method)).Err()
	}
	outgoing, _ := metadata.FromOutgoingContext(ctx)
	ctx = metadata.NewIncomingContext(ctx, outgoing)
	stream := &inprocStream{method: method}
	ctx = grpc.NewContextWithServerTransportStream(ctx, stream)
	decode := func(into any) error {
		m := into.(proto.Message)
		proto.Merge(m, args.(proto.Message))
		c.frontend.large.note(m, proto.Size(m))
		return nil
	}
	answer, err := m.handler(m.server, ctx, decode, c.frontend.intercept)
	stream.giveTo(opts)
	if err != nil {
		return err
	}
	encoded, err := proto.Marshal(answer.(proto.Message))
	if err != nil {
		return err
	}
	return proto.Unmarshal(encoded, reply.(proto.Message))
}

// NewStream implements grpc.ClientConnInterface: the API has no streams.
func (c *inproc) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, serviceerror.ToStatus(serviceerror.NewUnimplemented("streams are not offered in process")).Err()
}

// inprocStream collects the headers and trailers that a handler sets.
type inprocStream struct {
	method          string
	header, trailer metadata.MD
}

// Method implements grpc.ServerTransportStream.
func (s *inprocStream) Method() string { return s.method }

// SetHeader implements grpc.ServerTransportStream.
func (s *inprocStream) SetHeader(md metadata.MD) error {
	s.header = metadata.Join(s.header, md)
	return nil
}

// SendHeader implements grpc.ServerTransportStream.
func (s *inprocStream) SendHeader(md metadata.MD) error { return s.SetHeader(md) }

// SetTrailer implements grpc.ServerTransportStream.
func (s *inprocStream) SetTrailer(md metadata.MD) error {
	s.trailer = metadata.Join(s.trailer, md)
	return nil
}

// giveTo fills the header and trailer the caller asked for.
func (s *inprocStream) giveTo(opts []grpc.CallOption) {
	for _, o := range opts {
		switch o := o.(type) {
		case grpc.HeaderCallOption:
			*o.HeaderAddr = s.header
		case grpc.TrailerCallOption:
			*o.TrailerAddr = s.trailer
		}
	}
}
