package frontend

import (
	"os"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// The page docs/compatibility.md says what is built. These tests hold it against
// the API's own descriptors, and against what the server answers.

// states are the words of the page.
var states = map[string]bool{"built": true, "partly": true, "fixed answer": true, "not built": true}

// compatibility reads one section of the page: state by name.
func compatibility(t *testing.T, section string) map[string]string {
	t.Helper()
	page, err := os.ReadFile("../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(page), "\n## "+section+"\n")
	if !found {
		t.Fatalf("no section %s", section)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	rows := map[string]string{}
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		name, state := strings.Trim(cells[1], " `"), strings.TrimSpace(cells[2])
		if _, twice := rows[name]; twice || !states[state] {
			t.Errorf("%s: bad row %q", section, strings.TrimSpace(line))
		}
		rows[name] = state
	}
	return rows
}

// complete reports names that only one side has.
func complete(t *testing.T, section string, rows map[string]string, names []string) {
	t.Helper()
	inAPI := map[string]bool{}
	for _, name := range names {
		inAPI[name] = true
		if rows[name] == "" {
			t.Errorf("%s: the API has %s, the page does not", section, name)
		}
	}
	for name := range rows {
		if !inAPI[name] {
			t.Errorf("%s: the page has %s, the API does not", section, name)
		}
	}
}

func TestCompatibilityPageListsEverything(t *testing.T) {
	for section, kind := range map[string]struct {
		enum   protoreflect.EnumDescriptor
		prefix string
	}{
		"Events":   {enumspb.EventType(0).Descriptor(), "EVENT_TYPE_"},
		"Commands": {enumspb.CommandType(0).Descriptor(), "COMMAND_TYPE_"},
	} {
		var names []string
		for i := range kind.enum.Values().Len() {
			if v := kind.enum.Values().Get(i); v.Number() != 0 {
				names = append(names, strings.TrimPrefix(string(v.Name()), kind.prefix))
			}
		}
		complete(t, section, compatibility(t, section), names)
	}
}

// An RPC that is listed as not built answers UNIMPLEMENTED, and no other does.
func TestCompatibilityPageTellsTheTruth(t *testing.T) {
	e := newEdge(t, func(o *Options) { o.TimeSkipping = []string{"ns"} }) // else it is off
	for section, service := range map[string]string{
		"WorkflowService": workflowservice.WorkflowService_ServiceDesc.ServiceName,
		"OperatorService": operatorservice.OperatorService_ServiceDesc.ServiceName,
	} {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
		if err != nil {
			t.Fatal(err)
		}
		methods := d.(protoreflect.ServiceDescriptor).Methods()
		rows := compatibility(t, section)
		var names []string
		for i := range methods.Len() {
			m := methods.Get(i)
			name := string(m.Name())
			names = append(names, name)
			code := status.Code(e.conn.Invoke(t.Context(), "/"+service+"/"+name, sparseRequest(m.Input()), dynamicpb.NewMessage(m.Output())))
			if unbuilt := code == codes.Unimplemented; unbuilt != (rows[name] == "not built") {
				t.Errorf("%s is listed as %q and answers %v", name, rows[name], code)
			}
		}
		complete(t, section, rows, names)
	}
}

// sparseRequest is a request with nothing in it but its namespace and, where it
// has a field for one, a workflow: without that some calls mean an activity that
// stands alone.
func sparseRequest(d protoreflect.MessageDescriptor) proto.Message {
	m := dynamicpb.NewMessage(d)
	for name, value := range map[protoreflect.Name]string{"namespace": "ns", "workflow_id": "w"} {
		if f := d.Fields().ByName(name); f != nil && f.Kind() == protoreflect.StringKind {
			m.Set(f, protoreflect.ValueOfString(value))
		}
	}
	return m
}
