package server

import (
	"context"
	"fmt"
	"testing"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/perdure/perdure/config"
)

// inMemory starts a server that keeps nothing on disk.
func inMemory(tb testing.TB) *grpc.ClientConn {
	tb.Helper()
	c := config.Embedded()
	c.InMemory = true
	s, err := Start(context.Background(), Options{Config: &c})
	if err != nil {
		tb.Fatal(err)
	}
	conn, err := grpc.NewClient(s.Target(), s.DialOptions()...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = conn.Close()
		_ = s.Stop(context.Background())
	})
	return conn
}

// harmed reports whether an error is one of a server that was hurt: a panic or
// another bug is answered as a fault, an execution set aside as unavailable.
func harmed(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.Internal, codes.Unknown, codes.DataLoss:
		return true
	}
	return false
}

// quick are the calls that do not wait for anything.
func quick() (all []protoreflect.MethodDescriptor) {
	methods := workflowservice.File_temporal_api_workflowservice_v1_service_proto.Services().Get(0).Methods()
	for i := range methods.Len() {
		switch m := methods.Get(i); m.Name() {
		case "PollWorkflowTaskQueue", "PollActivityTaskQueue", "PollNexusTaskQueue", "QueryWorkflow", "GetWorkflowExecutionHistory":
		default:
			all = append(all, m)
		}
	}
	return all
}

// FuzzRequest sends any bytes that are a request to any call: the server
// answers, whatever it answers, and is well.
func FuzzRequest(f *testing.F) {
	conn, methods := inMemory(f), quick()
	start := startOf("w")
	for i, m := range methods {
		if i%4 == 0 { // seeds are run at every start of the fuzzer, and that takes its time
			f.Add(i, []byte("\x0a\x07default"))
		}
		if m.Name() == "StartWorkflowExecution" {
			start.Memo = &commonpb.Memo{Fields: map[string]*commonpb.Payload{"m": nil}}
			start.CronSchedule = "@every 10h"
			seed, _ := proto.Marshal(start)
			f.Add(i, seed)
		}
	}
	f.Fuzz(func(t *testing.T, method int, body []byte) {
		m := methods[uint(method)%uint(len(methods))]
		in, out := newMessage(t, m.Input()), newMessage(t, m.Output())
		if proto.Unmarshal(body, in) != nil {
			return
		}
		if err := conn.Invoke(t.Context(), "/"+string(m.Parent().FullName())+"/"+string(m.Name()), in, out); harmed(err) {
			t.Errorf("%s: %v", m.Name(), err)
		}
	})
}

func newMessage(t *testing.T, d protoreflect.MessageDescriptor) proto.Message {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		t.Fatal(err)
	}
	return kind.New().Interface()
}

// FuzzCompletion answers a real workflow task with any commands and messages.
func FuzzCompletion(f *testing.F) {
	conn := inMemory(f)
	for number := range enumspb.CommandType_name {
		for _, c := range []*commandpb.Command{{CommandType: enumspb.CommandType(number)}, emptyCommand(enumspb.CommandType(number))} {
			body, err := proto.Marshal(&workflowservice.RespondWorkflowTaskCompletedRequest{Commands: []*commandpb.Command{c, c}})
			if err != nil {
				f.Fatal(err)
			}
			f.Add(body)
		}
	}
	a, n := workflowservice.NewWorkflowServiceClient(conn), 0
	f.Fuzz(func(t *testing.T, body []byte) {
		r := new(workflowservice.RespondWorkflowTaskCompletedRequest)
		if proto.Unmarshal(body, r) != nil {
			return
		}
		n++
		start := startOf(fmt.Sprintf("%s-%d", t.Name(), n))
		start.TaskQueue = &taskqueuepb.TaskQueue{Name: start.WorkflowId}
		ctx := testContext(t)
		if _, err := a.StartWorkflowExecution(ctx, start); err != nil {
			t.Fatal(err)
		}
		task, err := a.PollWorkflowTaskQueue(ctx, &workflowservice.PollWorkflowTaskQueueRequest{Namespace: "default", TaskQueue: start.TaskQueue})
		if err != nil {
			t.Fatal(err)
		}
		r.Namespace, r.TaskToken = "default", task.GetTaskToken()
		if _, err := a.RespondWorkflowTaskCompleted(ctx, r); harmed(err) {
			t.Errorf("the completion: %v", err)
		}
		if _, err := a.DescribeWorkflowExecution(ctx, describeOf(start.WorkflowId)); harmed(err) {
			t.Errorf("afterwards: %v", err)
		}
		if _, err := a.TerminateWorkflowExecution(ctx, &workflowservice.TerminateWorkflowExecutionRequest{Namespace: "default",
			WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: start.WorkflowId}}); harmed(err) {
			t.Errorf("in the end: %v", err)
		}
	})
}

// emptyCommand has attributes of its kind with nothing in them.
func emptyCommand(kind enumspb.CommandType) *commandpb.Command {
	c := &commandpb.Command{CommandType: kind}
	attributes := c.ProtoReflect().Descriptor().Oneofs().ByName("attributes").Fields()
	for i := range attributes.Len() {
		field := attributes.Get(i)
		// START_TIMER has start_timer_command_attributes.
		if string(field.Name()) == commandField(kind) {
			c.ProtoReflect().Set(field, c.ProtoReflect().NewField(field))
		}
	}
	return c
}

func commandField(kind enumspb.CommandType) string {
	value := enumspb.CommandType(0).Descriptor().Values().ByNumber(protoreflect.EnumNumber(kind))
	const prefix = "COMMAND_TYPE_"
	name := []byte(value.Name())[len(prefix):]
	for i, b := range name {
		if 'A' <= b && b <= 'Z' {
			name[i] = b + 'a' - 'A'
		}
	}
	return string(name) + "_command_attributes"
}
