//go:build e2e

package limits

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/errordetails/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// notAbout are the calls that do not ask for a namespace to exist, or look at
// the rest of the request first.
var notAbout = map[string]bool{
	"RegisterNamespace":      true,
	"AddSearchAttributes":    true, // below
	"RemoveSearchAttributes": true,
}

// Every call of the API that names a namespace says so when there is none of
// that name, with the detail SDKs tell it by, and when no name is given; a call
// that is not built says that.
func TestUnknownNamespaces(t *testing.T) {
	ctx := testContext(t)
	checked := 0
	for _, file := range []protoreflect.FileDescriptor{
		workflowservice.File_temporal_api_workflowservice_v1_service_proto,
		operatorservice.File_temporal_api_operatorservice_v1_service_proto,
	} {
		service := file.Services().Get(0)
		for i := range service.Methods().Len() {
			m := service.Methods().Get(i)
			field := m.Input().Fields().ByName("namespace")
			if field == nil || field.Kind() != protoreflect.StringKind || notAbout[string(m.Name())] {
				continue
			}
			call := func(name string) error {
				in, out := message(t, m.Input()), message(t, m.Output())
				in.Set(field, protoreflect.ValueOfString(name))
				return conn.Invoke(ctx, "/"+string(service.FullName())+"/"+string(m.Name()), in.Interface(), out.Interface())
			}
			st := status.Convert(call("nowhere"))
			if st.Code() == codes.Unimplemented {
				continue
			}
			checked++
			if st.Code() != codes.NotFound || len(st.Details()) == 0 {
				t.Errorf("%s in an unknown namespace: %v %v", m.Name(), st, st.Details())
			} else if d, ok := st.Details()[0].(*errordetails.NamespaceNotFoundFailure); !ok || d.GetNamespace() != "nowhere" {
				t.Errorf("%s in an unknown namespace: detail %v", m.Name(), st.Details()[0])
			}
			if code := status.Code(call("")); code != codes.InvalidArgument {
				t.Errorf("%s without a namespace: %v", m.Name(), code)
			}
		}
	}
	_, err := admin.AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: "nowhere",
		SearchAttributes: map[string]enumspb.IndexedValueType{"B": enumspb.INDEXED_VALUE_TYPE_KEYWORD}})
	refused(t, "AddSearchAttributes", err, codes.NotFound, "Namespace nowhere is not found.")
	_, err = admin.RemoveSearchAttributes(ctx, &operatorservice.RemoveSearchAttributesRequest{Namespace: "nowhere", SearchAttributes: []string{"B"}})
	refused(t, "RemoveSearchAttributes", err, codes.NotFound, "Namespace nowhere is not found.")
	if checked < 30 {
		t.Errorf("only %d calls were checked", checked)
	}
}

func message(t *testing.T, d protoreflect.MessageDescriptor) protoreflect.Message {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		t.Fatal(err)
	}
	return kind.New()
}

// A message beyond 4 MiB is refused before it is read whole, also one that is
// small as long as it is compressed; the connection goes on.
func TestOversizedMessages(t *testing.T) {
	ctx := testContext(t)
	for _, options := range [][]grpc.CallOption{nil, {grpc.UseCompressor(gzip.Name)}} {
		r := startOf(unique())
		r.Input = payloads(4 << 20)
		_, err := api.StartWorkflowExecution(ctx, r, options...)
		refused(t, "a message of more than 4 MiB", err, codes.ResourceExhausted, "")
		r.Input = payloads(64 << 20)
		_, err = api.StartWorkflowExecution(ctx, r, options...)
		refused(t, "a message of 64 MiB", err, codes.ResourceExhausted, "")
		r.Input = payloads(3 << 20)
		_, err = api.StartWorkflowExecution(ctx, r, options...)
		refused(t, "an input of 3 MiB", err, codes.InvalidArgument, "Blob data size exceeds limit.")
		r.Input = payloads(100)
		if _, err := api.StartWorkflowExecution(ctx, r, options...); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}
}

// The HTTP form of the API has the same bounds, and answers bad input with a
// client error and JSON.
func TestBadHTTP(t *testing.T) {
	base := common.Addresses["HTTP"]
	for name, c := range map[string]struct {
		path   string
		body   io.Reader
		status int
	}{
		"a body of 8 MiB":      {"/namespaces/default/workflows/w", bytes.NewReader(bytes.Repeat([]byte(" "), 8<<20)), http.StatusRequestEntityTooLarge},
		"8 MiB piece by piece": {"/namespaces/default/workflows/w", struct{ io.Reader }{bytes.NewReader(bytes.Repeat([]byte(" "), 8<<20))}, http.StatusRequestEntityTooLarge},
		"no JSON":              {"/namespaces/default/workflows/w", strings.NewReader("{"), http.StatusBadRequest},
		"unknown field":        {"/namespaces/default/workflows/w", strings.NewReader(`{"nonsense": 1}`), http.StatusBadRequest},
		"an unknown namespace": {"/namespaces/nowhere/workflows/w", strings.NewReader(`{"workflowType": {"name": "t"}, "taskQueue": {"name": "q"}}`), http.StatusNotFound},
		"an unknown path":      {"/nothing/here", strings.NewReader("{}"), http.StatusNotFound},
	} {
		r, err := http.Post(base+c.path, "application/json", c.body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = r.Body.Close()
		if r.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", name, r.StatusCode, c.status)
		}
	}
	r, err := http.Get(base + "/system-info")
	if err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("afterwards: %v, error %v", r, err)
	}
}
