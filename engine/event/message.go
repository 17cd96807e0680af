package event

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	commonpb "go.temporal.io/api/common/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"

	"github.com/perdure/perdure/engine/payload"
)

func (c *coder) time(num protowire.Number, t *timestamppb.Timestamp) {
	if t != nil {
		c.seconds(num, t.Seconds, t.Nanos, t)
	}
}

func (c *coder) duration(num protowire.Number, d *durationpb.Duration) {
	if d != nil {
		c.seconds(num, d.Seconds, d.Nanos, d)
	}
}

func (c *coder) seconds(num protowire.Number, seconds int64, nanos int32, m proto.Message) {
	end := c.open(m)
	c.int(2, int64(nanos))
	c.int(1, seconds)
	c.close(num, end)
}

// named is a message that is a name.
func named[M interface {
	comparable
	proto.Message
	GetName() string
}](c *coder, num protowire.Number, m M) {
	var none M
	if m != none {
		end := c.open(m)
		c.str(1, m.GetName())
		c.close(num, end)
	}
}

// fields is a message that is a map of payloads.
func fields[M interface {
	comparable
	proto.Message
}](c *coder, num protowire.Number, m M, payloads map[string]*commonpb.Payload) {
	var none M
	if m == none {
		return
	}
	end := c.open(m)
	if size := payload.SizeFields(payloads); c.take(size) {
		filled(payload.AppendFields(c.start()[:0], payloads), size)
	}
	c.close(num, end)
}

func (c *coder) payloads(num protowire.Number, m *commonpb.Payloads) {
	if m == nil {
		return
	}
	end := c.open(m)
	for i := len(m.Payloads) - 1; i >= 0; i-- {
		end, p := c.n, m.Payloads[i]
		if size := payload.SizeOne(p); c.take(size) {
			filled(payload.AppendOne(c.start()[:0], p), size)
		}
		c.close(1, end)
	}
	c.close(num, end)
}

func (c *coder) queue(num protowire.Number, q *taskqueuepb.TaskQueue) {
	if q == nil {
		return
	}
	end := c.open(q)
	c.str(3, q.NormalName)
	c.int(2, int64(q.Kind))
	c.str(1, q.Name)
	c.close(num, end)
}

func (c *coder) execution(num protowire.Number, e *commonpb.WorkflowExecution) {
	if e == nil {
		return
	}
	end := c.open(e)
	c.str(2, e.RunId)
	c.str(1, e.WorkflowId)
	c.close(num, end)
}

func (c *coder) version(num protowire.Number, v *commonpb.WorkerVersionStamp) {
	if v == nil {
		return
	}
	end := c.open(v)
	c.bool(3, v.UseVersioning)
	c.str(1, v.BuildId)
	c.close(num, end)
}

func (c *coder) retryPolicy(num protowire.Number, r *commonpb.RetryPolicy) {
	if r == nil {
		return
	}
	end := c.open(r)
	for i := len(r.NonRetryableErrorTypes) - 1; i >= 0; i-- {
		c.text(5, r.NonRetryableErrorTypes[i])
	}
	c.int(4, int64(r.MaximumAttempts))
	c.duration(3, r.MaximumInterval)
	c.double(2, r.BackoffCoefficient)
	c.duration(1, r.InitialInterval)
	c.close(num, end)
}
