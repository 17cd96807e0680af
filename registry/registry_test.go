package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/errordetails/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	replicationpb "go.temporal.io/api/replication/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

func options(driver store.Driver) Options {
	n := 0
	return Options{
		Driver: driver,
		Now:    func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
		NewID: func() string {
			n++
			return fmt.Sprintf("%08d-0000-4000-8000-000000000000", n)
		},
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

func open(t *testing.T, o Options) *Registry {
	t.Helper()
	r, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func fresh(t *testing.T) *Registry { return open(t, options(memstore.New(memstore.Options{}))) }

func register(t *testing.T, r *Registry, name string) string {
	t.Helper()
	id, err := r.Register(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(2 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// refused checks kind and exact text of a refusal.
func refused(t *testing.T, err error, kind engine.Kind, text string) {
	t.Helper()
	if engine.KindOf(err) != kind || err.Error() != text {
		t.Errorf("got  kind %d %v\nwant kind %d %s", engine.KindOf(err), err, kind, text)
	}
}

// TestFirstStart shows what an empty store is given, and that a second start
// finds it again and does not make it twice.
func TestFirstStart(t *testing.T) {
	driver := memstore.New(memstore.Options{})
	o := options(driver)
	o.Namespaces = []string{"orders"}
	o.SearchAttributes = map[string]enumspb.IndexedValueType{"CI": enumspb.INDEXED_VALUE_TYPE_INT}
	r, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	cluster, id := r.ClusterID(), r.ByName("default").ID
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = open(t, o)
	if cluster == "" || r.ClusterID() != cluster || r.ByName("default").ID != id {
		t.Errorf("after a restart: cluster %q default %q; before %q, %q", r.ClusterID(), r.ByName("default").ID, cluster, id)
	}
	for name, retention := range map[string]time.Duration{"default": 24 * time.Hour, "orders": 24 * time.Hour, "temporal-system": 7 * 24 * time.Hour} {
		ns := r.ByName(name)
		if ns == nil || ns.Retention != retention || r.ByID(ns.ID) != ns {
			t.Errorf("namespace %q: %+v", name, ns)
		}
	}
	if r.ByName("temporal-system").ID != systemNamespaceID {
		t.Errorf("id of temporal-system: %s", r.ByName("temporal-system").ID)
	}
	if got := r.ByName("orders").SearchAttributes["CI"]; got != enumspb.INDEXED_VALUE_TYPE_INT {
		t.Errorf("type of CI: %s", got)
	}
	if len(r.ByName("temporal-system").SearchAttributes) != 0 {
		t.Error("temporal-system was given custom attributes")
	}
}

// TestRegisterRefusals quotes NS-1 to NS-4.
func TestRegisterRefusals(t *testing.T) {
	r := fresh(t)
	day := durationpb.New(24 * time.Hour)
	for _, row := range []struct {
		name string
		req  *workflowservice.RegisterNamespaceRequest
		kind engine.Kind
		text string
	}{
		{"no name", &workflowservice.RegisterNamespaceRequest{}, engine.KindInvalidArgument, "Namespace not set on request."},
		{"a name too long", &workflowservice.RegisterNamespaceRequest{Namespace: strings.Repeat("n", 1001)}, engine.KindInvalidArgument, "Namespace length exceeds limit."},
		{"no retention", &workflowservice.RegisterNamespaceRequest{Namespace: "n"}, engine.KindInvalidArgument, "A valid retention period is not set on request."},
		{"retention below an hour", &workflowservice.RegisterNamespaceRequest{Namespace: "n", WorkflowExecutionRetentionPeriod: durationpb.New(time.Hour - 1)}, engine.KindInvalidArgument, "A valid retention period is not set on request."},
		{"retention that is no duration", &workflowservice.RegisterNamespaceRequest{Namespace: "n", WorkflowExecutionRetentionPeriod: &durationpb.Duration{Seconds: 1 << 60}}, engine.KindInvalidArgument, "A valid retention period is not set on request."},
		{"global", &workflowservice.RegisterNamespaceRequest{Namespace: "n", WorkflowExecutionRetentionPeriod: day, IsGlobalNamespace: true}, engine.KindInvalidArgument, "Cannot register global namespace when not enabled"},
		{"another active cluster", &workflowservice.RegisterNamespaceRequest{Namespace: "n", WorkflowExecutionRetentionPeriod: day, ActiveClusterName: "x"}, engine.KindInvalidArgument, "Invalid local namespace active cluster"},
		{"another cluster", &workflowservice.RegisterNamespaceRequest{Namespace: "n", WorkflowExecutionRetentionPeriod: day, Clusters: []*replicationpb.ClusterReplicationConfig{{ClusterName: "x"}}}, engine.KindInvalidArgument, "Invalid cluster name: x"},
		{"a name that is taken", &workflowservice.RegisterNamespaceRequest{Namespace: "default", WorkflowExecutionRetentionPeriod: day}, engine.KindAlreadyExists, `Namespace "default" already exists`},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := r.Register(t.Context(), row.req)
			refused(t, err, row.kind, row.text)
		})
	}
}

// TestDescribe shows the answer of a single cluster, and NS-6.
func TestDescribe(t *testing.T) {
	o := options(memstore.New(memstore.Options{}))
	o.Capabilities = Capabilities(Features{EagerWorkflowStart: true})
	r := open(t, o)
	id := register(t, r, "n1")
	byName, err := r.Describe("n1", "")
	if err != nil {
		t.Fatal(err)
	}
	byID, err := r.Describe("", id)
	if err != nil || !proto.Equal(byName, byID) {
		t.Errorf("by id: %v, %v", byID, err)
	}
	want := &workflowservice.DescribeNamespaceResponse{
		NamespaceInfo: &namespacepb.NamespaceInfo{
			Name: "n1", Id: id, State: enumspb.NAMESPACE_STATE_REGISTERED,
			Capabilities: &namespacepb.NamespaceInfo_Capabilities{EagerWorkflowStart: true},
			Limits:       &namespacepb.NamespaceInfo_Limits{BlobSizeLimitError: 2097152, MemoSizeLimitError: 2097152, WorkflowTaskCompletionSizeLimitError: 41943040},
		},
		Config: &namespacepb.NamespaceConfig{
			WorkflowExecutionRetentionTtl: durationpb.New(2 * time.Hour),
			BadBinaries:                   &namespacepb.BadBinaries{},
			HistoryArchivalState:          enumspb.ARCHIVAL_STATE_DISABLED,
			VisibilityArchivalState:       enumspb.ARCHIVAL_STATE_DISABLED,
		},
		ReplicationConfig: &replicationpb.NamespaceReplicationConfig{
			ActiveClusterName: "active",
			Clusters:          []*replicationpb.ClusterReplicationConfig{{ClusterName: "active"}},
			State:             enumspb.REPLICATION_STATE_NORMAL,
		},
	}
	if !proto.Equal(byName, want) {
		t.Errorf("got  %v\nwant %v", byName, want)
	}
	_, err = r.Describe("", "")
	refused(t, err, engine.KindInvalidArgument, "Namespace not set on request.")
	_, err = r.Describe("n1", id)
	refused(t, err, engine.KindInvalidArgument, "GetNamespace operation failed. Both ID and Name specified in request.")
	_, err = r.Describe("n2", "")
	refused(t, err, engine.KindNamespaceNotFound, "Namespace n2 is not found.")
	var refusal *engine.Refusal
	if errors.As(err, &refusal); !proto.Equal(refusal.Detail, &errordetails.NamespaceNotFoundFailure{Namespace: "n2"}) {
		t.Errorf("detail %v", refusal.Detail)
	}
}

// TestUpdate shows NS-7, NS-10 and NS-11, and that a refused update changes
// nothing.
func TestUpdate(t *testing.T) {
	r := fresh(t)
	register(t, r, "n1")
	update := func(req *workflowservice.UpdateNamespaceRequest) (*workflowservice.UpdateNamespaceResponse, error) {
		req.Namespace = "n1"
		return r.Update(t.Context(), req)
	}
	_, err := update(&workflowservice.UpdateNamespaceRequest{
		UpdateInfo: &namespacepb.UpdateNamespaceInfo{Description: "d", OwnerEmail: "o", Data: map[string]string{"a": "1", "b": "2"}},
		Config: &namespacepb.NamespaceConfig{
			WorkflowExecutionRetentionTtl: durationpb.New(3 * time.Hour),
			BadBinaries:                   &namespacepb.BadBinaries{Binaries: map[string]*namespacepb.BadBinaryInfo{"x": {Reason: "bug"}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := update(&workflowservice.UpdateNamespaceRequest{UpdateInfo: &namespacepb.UpdateNamespaceInfo{Data: map[string]string{"b": "3"}}})
	if err != nil {
		t.Fatal(err)
	}
	info := got.NamespaceInfo
	if info.Description != "d" || info.OwnerEmail != "o" || info.Data["a"] != "1" || info.Data["b"] != "3" {
		t.Errorf("info %v", info)
	}
	if ns := r.ByName("n1"); ns.Retention != 3*time.Hour || !ns.BadBinaries["x"] {
		t.Errorf("core %+v", ns)
	}
	if at := got.Config.BadBinaries.Binaries["x"].CreateTime.AsTime(); at.Year() != 2026 {
		t.Errorf("marked at %s", at)
	}

	tooMany := map[string]*namespacepb.BadBinaryInfo{}
	for i := range 10 {
		tooMany[fmt.Sprint(i)] = &namespacepb.BadBinaryInfo{}
	}
	for _, row := range []struct {
		name string
		req  *workflowservice.UpdateNamespaceRequest
		text string
	}{
		{"bad retention", &workflowservice.UpdateNamespaceRequest{Config: &namespacepb.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(1)}}, "A valid retention period is not set on request."},
		{"too many bad binaries", &workflowservice.UpdateNamespaceRequest{Config: &namespacepb.NamespaceConfig{BadBinaries: &namespacepb.BadBinaries{Binaries: tooMany}}}, "Total resetBinaries cannot exceed the max limit: 10"},
		{"unknown bad binary", &workflowservice.UpdateNamespaceRequest{DeleteBadBinary: "y"}, "Bad binary checksum y doesn't exists."},
		{"promotion", &workflowservice.UpdateNamespaceRequest{PromoteNamespace: true}, "global namespace is not enabled on this cluster, cannot update global namespace or promote local namespace: n1"},
		{"failover", &workflowservice.UpdateNamespaceRequest{ReplicationConfig: &replicationpb.NamespaceReplicationConfig{ActiveClusterName: "active"}}, "global namespace is not enabled on this cluster, cannot update global namespace or promote local namespace: n1"},
		{"failover and more", &workflowservice.UpdateNamespaceRequest{UpdateInfo: &namespacepb.UpdateNamespaceInfo{Description: "lost"}, ReplicationConfig: &replicationpb.NamespaceReplicationConfig{ActiveClusterName: "active"}}, "Cannot set active cluster to current cluster when other parameters are set."},
		{"another cluster", &workflowservice.UpdateNamespaceRequest{ReplicationConfig: &replicationpb.NamespaceReplicationConfig{Clusters: []*replicationpb.ClusterReplicationConfig{{ClusterName: "x"}}}}, "Invalid cluster name: x"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := update(row.req)
			refused(t, err, engine.KindInvalidArgument, row.text)
		})
	}
	if ns, _ := r.Describe("n1", ""); ns.NamespaceInfo.Description != "d" || len(ns.Config.BadBinaries.Binaries) != 1 {
		t.Errorf("a refused update changed %v", ns)
	}
	if _, err := update(&workflowservice.UpdateNamespaceRequest{DeleteBadBinary: "x"}); err != nil || r.ByName("n1").BadBinaries["x"] {
		t.Errorf("bad binary not deleted: %v", err)
	}
}

// TestStates shows NS-8, NS-14, NS-15 and which requests each state serves.
func TestStates(t *testing.T) {
	o := options(memstore.New(memstore.Options{}))
	o.Protected = []string{"kept"}
	r := open(t, o)
	id := register(t, r, "n1")
	register(t, r, "kept")
	if err := r.Deprecate(t.Context(), "n1"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Usable("n1", false); err != nil {
		t.Errorf("a deprecated namespace serves what runs: %v", err)
	}
	_, err := r.Usable("n1", true)
	refused(t, err, engine.KindFailedPrecondition, "Namespace has invalid state: Deprecated. Must be Registered.")
	_, err = r.Update(t.Context(), &workflowservice.UpdateNamespaceRequest{Namespace: "n1", UpdateInfo: &namespacepb.UpdateNamespaceInfo{State: enumspb.NAMESPACE_STATE_REGISTERED}})
	refused(t, err, engine.KindInvalidArgument, "Invalid namespace state update.")

	deleted, err := r.Delete(t.Context(), "n1", "")
	if err != nil || deleted != "n1-deleted-"+id[:5] {
		t.Fatalf("deleted name %q, %v", deleted, err)
	}
	if again, err := r.Delete(t.Context(), "", id); err != nil || again != deleted {
		t.Errorf("deleting again: %q, %v", again, err)
	}
	_, err = r.Usable("n1", false)
	refused(t, err, engine.KindNamespaceNotFound, "Namespace n1 is not found.")
	_, err = r.Usable(deleted, false)
	refused(t, err, engine.KindFailedPrecondition, "Namespace has invalid state: Deleted. Must be Registered or Deprecated.")
	if second := register(t, r, "n1"); second == id {
		t.Error("the id was used again")
	}
	if gone := r.Deleted(); len(gone) != 1 || gone[0].ID != id {
		t.Errorf("to be removed: %v", gone)
	}
	if err := r.Purge(t.Context(), id); err != nil || r.ByID(id) != nil || len(r.Deleted()) != 0 {
		t.Errorf("purge: %v", err)
	}
	refused(t, r.Purge(t.Context(), r.ByName("n1").ID), engine.KindFailedPrecondition, "namespace n1 is not deleted")

	_, err = r.Delete(t.Context(), "temporal-system", "")
	refused(t, err, engine.KindFailedPrecondition, "unable to delete system namespace")
	_, err = r.Delete(t.Context(), "kept", "")
	refused(t, err, engine.KindFailedPrecondition, "namespace kept is protected from deletion")
	_, err = r.Delete(t.Context(), "unknown", "")
	refused(t, err, engine.KindNamespaceNotFound, "Namespace unknown is not found.")
	_, err = r.Delete(t.Context(), "kept", id)
	refused(t, err, engine.KindInvalidArgument, "Only one of namespace name or Id should be set on request.")
}

// TestList shows pages by name and that deleted namespaces are hidden.
func TestList(t *testing.T) {
	r := fresh(t)
	for _, name := range []string{"b", "a", "c"} {
		register(t, r, name)
	}
	if _, err := r.Delete(t.Context(), "b", ""); err != nil {
		t.Fatal(err)
	}
	var names []string
	req := &workflowservice.ListNamespacesRequest{PageSize: 2}
	for {
		page, err := r.List(req)
		if err != nil {
			t.Fatal(err)
		}
		for _, ns := range page.Namespaces {
			names = append(names, ns.NamespaceInfo.Name)
		}
		if req.NextPageToken = page.NextPageToken; len(req.NextPageToken) == 0 {
			break
		}
	}
	if got := strings.Join(names, " "); got != "a c default temporal-system" {
		t.Errorf("listed %q", got)
	}
	all, err := r.List(&workflowservice.ListNamespacesRequest{NamespaceFilter: &namespacepb.NamespaceFilter{IncludeDeleted: true}})
	if err != nil || len(all.Namespaces) != 5 {
		t.Errorf("with deleted ones: %d, %v", len(all.GetNamespaces()), err)
	}
	_, err = r.List(&workflowservice.ListNamespacesRequest{NextPageToken: []byte("junk")})
	refused(t, err, engine.KindInvalidArgument, "Invalid NextPageToken.")
}

// TestFailedCommit shows that a change is invisible unless it is durable, and
// that the registry takes the slot again afterwards.
func TestFailedCommit(t *testing.T) {
	broken := false
	driver := memstore.New(memstore.Options{Faults: memstore.Faults{
		Commit: func(store.Shard, *store.Batch) memstore.CommitFault {
			if broken {
				return memstore.CommitFault{Err: store.ErrNotDone}
			}
			return memstore.CommitFault{}
		},
	}})
	r := open(t, options(driver))
	broken = true
	_, err := r.Register(context.Background(), &workflowservice.RegisterNamespaceRequest{Namespace: "n1", WorkflowExecutionRetentionPeriod: durationpb.New(time.Hour)})
	if !errors.Is(err, store.ErrNotDone) {
		t.Fatalf("got %v", err)
	}
	if r.ByName("n1") != nil {
		t.Error("a namespace that is not durable is visible")
	}
	broken = false
	register(t, r, "n1")
	if r.ByName("n1") == nil || r.ByName("default") == nil {
		t.Error("the registry did not recover")
	}
}

// TestDamagedRow shows that a damaged row is noticed at start.
func TestDamagedRow(t *testing.T) {
	driver := memstore.New(memstore.Options{})
	r := open(t, options(driver))
	id := register(t, r, "n1")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	image := driver.Image()
	value, _ := image.Get(namespaceKey(id))
	value[len(value)/2] ^= 1
	_, err := Open(t.Context(), options(memstore.Open(image.With(namespaceKey(id), value), memstore.Options{})))
	if !errors.Is(err, store.ErrCorrupt) {
		t.Fatalf("got %v", err)
	}
}

// A store without room: the caller is told so, nothing has changed, and with
// room the registry goes on.
func TestFullStore(t *testing.T) {
	driver := memstore.New(memstore.Options{})
	r := open(t, options(driver))
	driver.SetFull(true)
	request := &workflowservice.RegisterNamespaceRequest{Namespace: "n", WorkflowExecutionRetentionPeriod: durationpb.New(2 * time.Hour)}
	if _, err := r.Register(t.Context(), request); engine.KindOf(err) != engine.KindStorageFull {
		t.Errorf("registered on a full store: %v", err)
	}
	if r.ByName("n") != nil {
		t.Error("the refused namespace exists")
	}
	driver.SetFull(false)
	if _, err := r.Register(t.Context(), request); err != nil {
		t.Errorf("with room again: %v", err)
	}
}
