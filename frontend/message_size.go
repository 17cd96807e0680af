package frontend

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
)

// MaxReceiveBytes is the largest request we take, but for the completion of a
// workflow task.
const MaxReceiveBytes = 4 << 20

// MaxCompletionBytes is what a namespace announces as the limit of a workflow
// task completion: a workflow may begin many things at once, each with an input
// of its own. Worker and token have room beside it.
const MaxCompletionBytes = 40 << 20

// maxMessageReceived is where gRPC itself stops reading, before it knows whose
// request it is.
const maxMessageReceived = MaxCompletionBytes + 1<<20

// maxLargeBytes bounds the large requests being carried out at one time: each is
// in memory several times, as a message, as events, and as what is stored.
const maxLargeBytes = 256 << 20

const completionMethod = "RespondWorkflowTaskCompleted"

// admitSize refuses a request that is too large for its kind, or for now. done is
// to be called when it has been carried out.
func (f *Frontend) admitSize(c *call, req any) (done func(), err error) {
	m, ok := req.(proto.Message)
	if !ok {
		return func() {}, nil
	}
	size := int64(proto.Size(m))
	switch {
	case size <= MaxReceiveBytes:
		return func() {}, nil
	case c.operation != completionMethod: // as gRPC says it
		return nil, status.Errorf(codes.ResourceExhausted, "grpc: received message larger than max (%d vs. %d)", size, MaxReceiveBytes)
	}
	if f.largeBytes.Add(size) > maxLargeBytes {
		f.largeBytes.Add(-size)
		return nil, engine.Refuse(engine.KindOverloaded, "too many large workflow task completions at one time")
	}
	return func() { f.largeBytes.Add(-size) }, nil
}
