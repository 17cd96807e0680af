package frontend

import (
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
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

// large are the requests of more than MaxReceiveBytes.
type large struct {
	// sizes of those that have been decoded and not yet admitted, by message. To
	// work out the size of every request once more, only to see that it is not
	// large, took 1 % of the CPU of a short workflow.
	sizes sync.Map
	// bytes are those being carried out.
	bytes atomic.Int64
}

// codec decodes requests and notes which are large.
type codec struct {
	encoding.CodecV2
	large *large
}

func (f *Frontend) codec() encoding.CodecV2 {
	return codec{encoding.GetCodecV2(protocodec.Name), &f.large}
}

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	err := c.CodecV2.Unmarshal(data, v)
	if err == nil {
		c.large.note(v, data.Len())
	}
	return err
}

// note remembers the size of a large request of the API until it is admitted:
// those, and only those, come to admitSize.
func (l *large) note(req any, size int) {
	if size <= MaxReceiveBytes {
		return
	}
	if m, ok := req.(proto.Message); ok && strings.HasPrefix(string(m.ProtoReflect().Descriptor().FullName()), apiPrefix[1:]) {
		l.sizes.Store(req, int64(size))
	}
}

func notLarge() {}

// admitSize refuses a request that is too large for its kind, or for now. done is
// to be called when it has been carried out.
func (f *Frontend) admitSize(c *call, req any) (done func(), err error) {
	noted, ok := f.large.sizes.LoadAndDelete(req)
	if !ok {
		return notLarge, nil
	}
	size := noted.(int64)
	if c.name != completionMethod { // as gRPC says it
		return nil, status.Errorf(codes.ResourceExhausted, "grpc: received message larger than max (%d vs. %d)", size, MaxReceiveBytes)
	}
	if f.large.bytes.Add(size) > maxLargeBytes {
		f.large.bytes.Add(-size)
		return nil, engine.Refuse(engine.KindOverloaded, "too many large workflow task completions at one time")
	}
	return func() { f.large.bytes.Add(-size) }, nil
}
