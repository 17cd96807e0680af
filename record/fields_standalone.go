package record

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/standalone"
)

// The field lists of the state of a standalone activity; see fields_run.go. The
// activity itself has those of one in a workflow (activityFields).

func aloneStartFields(c *coder, s *standalone.Start) {
	c.str(1, &s.NamespaceName)
	c.str(2, &s.ActivityType)
	c.str(3, &s.Identity)
	c.str(4, &s.RequestID)
	c.time(5, &s.ScheduleTime)
	value(c, 6, &s.Options, activityOptionsFields)
	message(c, 7, &s.Input)
	message(c, 8, &s.Header)
	message(c, 9, &s.UserMetadata)
	message(c, 10, &s.SearchAttributes)
	messages(c, 11, &s.Links)
	message(c, 12, &s.NexusContext)
	c.bool(13, &s.Eager)
}

// activityBirth is workflowBirth for a standalone activity.
type activityBirth struct {
	start    *standalone.Start
	info     *standalone.Info
	activity *activity.State
}

func activityBirthFields(c *coder, b *activityBirth) {
	if c.reading {
		b.start = new(standalone.Start)
	}
	aloneStartFields(c, b.start)
	pointer(c, 14, &b.info, aloneInfoFields)
	pointer(c, 15, &b.activity, activityFields)
}

func aloneInfoFields(c *coder, i *standalone.Info) {
	number(c, 1, &i.Status)
	c.int(2, &i.Transitions)
	c.int(3, &i.Heartbeats)
	c.int(4, &i.StateBytes)
	c.time(5, &i.LastStartedTime)
	c.str(6, &i.SDKName)
	c.str(7, &i.SDKVersion)
	pointer(c, 8, &i.Cancel, aloneRequestFields)
	pointer(c, 9, &i.Terminate, aloneRequestFields)
	c.str(10, &i.PauseRequestID)
	c.str(11, &i.UnpauseRequestID)
	c.str(12, &i.ResetRequestID)
	c.str(13, &i.OptionsRequestID)
	c.time(14, &i.CloseTime)
	c.time(15, &i.DeleteAt)
	c.time(16, &i.Armed)
}

func aloneRequestFields(c *coder, r *standalone.Request) {
	c.str(1, &r.ID)
	c.str(2, &r.Identity)
	c.str(3, &r.Reason)
	c.time(4, &r.Time)
}

func attachmentFields(c *coder, a *standalone.Attachment) {
	c.int(1, &a.Number)
	c.str(2, &a.RequestID)
	messages(c, 3, &a.Links)
}

// messages codes a list of messages of the API, each as a field of its own.
func messages[M any, P interface {
	*M
	proto.Message
}](c *coder, num protowire.Number, v *[]P) {
	if !c.reading {
		for _, m := range *v {
			c.appendMessage(num, m)
		}
		return
	}
	*v = nil
	for {
		in, ok := c.inner(num)
		if !ok {
			return
		}
		m := P(new(M))
		if err := proto.Unmarshal(in.b, m); err != nil {
			c.fail(err)
		}
		*v = append(*v, m)
	}
}
