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
	// noted is how many sizes there are: nearly always none, and then nobody looks.
	noted atomic.Int64
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

// note remembers the size of a large request of the API until its interceptor
// takes it: those, and only those, come to one.
func (l *large) note(req any, size int) {
	if size <= MaxReceiveBytes {
		return
	}
	if m, ok := req.(proto.Message); ok && strings.HasPrefix(string(m.ProtoReflect().Descriptor().FullName()), apiPrefix[1:]) {
		if _, again := l.sizes.Swap(req, int64(size)); !again {
			l.noted.Add(1)
		}
	}
}

// take returns the size of a large request, once, and 0 for all others.
func (l *large) take(req any) (sizeBytes int64) {
	if l.noted.Load() == 0 {
		return 0
	}
	noted, ok := l.sizes.LoadAndDelete(req)
	if !ok {
		return 0
	}
	l.noted.Add(-1)
	return noted.(int64)
}

// admitLarge refuses a large request that is too large for its kind, or for now.
// Its size is to be taken from those carried out when it has been.
func (f *Frontend) admitLarge(c *call, sizeBytes int64) error {
	if c.name != completionMethod { // as gRPC says it
		return status.Errorf(codes.ResourceExhausted, "grpc: received message larger than max (%d vs. %d)", sizeBytes, MaxReceiveBytes)
	}
	if f.large.bytes.Add(sizeBytes) > maxLargeBytes {
		f.large.bytes.Add(-sizeBytes)
		return engine.Refuse(engine.KindOverloaded, "too many large workflow task completions at one time")
	}
	return nil
}
