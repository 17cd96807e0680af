package record

import (
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	nexuspb "go.temporal.io/api/nexus/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/store"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew: only for records that no release has written yet")

var (
	sampleID   = engine.ID{NamespaceID: "32049b68-7872-4094-8e63-d0dd59896a83", Archetype: engine.ArchetypeWorkflow, Name: "order-7"}
	sampleRun  = engine.RunKey{ID: sampleID, RunID: "0198c0de-0000-4000-8000-000000000001"}
	sampleTime = time.Date(2026, 11, 22, 14, 34, 41, 123456789, time.UTC)
	sampleTask = engine.Task{
		Queue: engine.TaskQueue{NamespaceID: sampleID.NamespaceID, Name: "worker:1", Type: enumspb.TASK_QUEUE_TYPE_WORKFLOW, Sticky: true, NormalName: "orders"},
		Run:   sampleRun, EventID: 5, Stamp: 3, Order: sampleTime, Priority: 2, FairnessKey: "tenant", FairnessWeight: 1.5,
	}
)

// samples are written once and never changed: what a release has written must be
// read for ever, and the golden files are what it wrote. A new field of a struct
// stays out of its sample; a second sample may show it.
var samples = map[string]any{
	"start": &workflow.Start{
		NamespaceName: "default", WorkflowType: "Order", TaskQueue: "orders", Identity: "me@host",
		RequestID: "request", FirstRunID: "first", OriginalRunID: "original", ContinuedRunID: "before",
		Attempt: 2, Initiator: enumspb.CONTINUE_AS_NEW_INITIATOR_RETRY, CronSchedule: "@every 1h",
		RetryPolicy: &commonpb.RetryPolicy{InitialInterval: durationpb.New(time.Second), BackoffCoefficient: 2},
		StartTime:   sampleTime, Backoff: time.Minute, ExecutionTimeout: time.Hour, RunTimeout: time.Hour / 2,
		TaskTimeout: 10 * time.Second, ExecutionDeadline: sampleTime.AddDate(300, 0, 0), RunDeadline: sampleTime.Add(time.Hour),
		Parent:   &workflow.Parent{Run: sampleRun, NamespaceName: "default", InitiatedEventID: 5},
		Root:     &commonpb.WorkflowExecution{WorkflowId: "root", RunId: "root-run"},
		Priority: &commonpb.Priority{PriorityKey: 2}, OriginalStartTime: sampleTime,
	},
	"info": &workflow.Info{
		Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, NextEventID: 42, LastBatchID: 40, HistorySizeBytes: 12345, Transitions: 17,
		NextBufferedKey: 3, BufferedBytes: 99, FirstTaskDone: true, TaskStamp: 7, LastCompletedStartedID: 38, TaskFailures: 1, NextAttempt: 2,
		Task: &workflow.Task{
			Type: workflow.TaskNormal, ScheduledEventID: 40, StartedEventID: 41, Attempt: 1, Stamp: 7,
			ScheduledTime: sampleTime, OriginalScheduledTime: sampleTime, StartedTime: sampleTime, Timeout: 10 * time.Second,
			StickyQueue: "worker:1", RequestID: "poll", Identity: "me@host", SuggestContinueAsNew: true,
			SuggestReasons: []enumspb.SuggestContinueAsNewReason{1, 2}, HistorySizeBytes: 12345,
		},
		Sticky:          &workflow.Sticky{TaskQueue: "worker:1", ScheduleToStart: 5 * time.Second},
		CancelRequested: true, CancelRequestID: "cancel", SignalCount: 2, LastWorkerIdentity: "me@host", Armed: sampleTime,
		LastTaskFailure: &failurepb.Failure{Message: "nondeterminism"},
	},
	"info-closed": &workflow.Info{
		Status: enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW, NextEventID: 43, LastBatchID: 42, CloseTime: sampleTime,
		CloseEventID: 42, CloseBatchID: 42, NewRunID: "after", DeleteAt: sampleTime.Add(24 * time.Hour),
	},
	"start-reset": &workflow.Start{
		NamespaceName: "default", WorkflowType: "Order", TaskQueue: "orders", FirstRunID: "first", OriginalRunID: "original",
		Parent: &workflow.Parent{Run: sampleRun, NamespaceName: "default", InitiatedEventID: 5, RequestID: "of its message"},
		Reset:  &workflow.ResetOrigin{BaseRunID: "base", EventID: 9}, ResetTime: sampleTime,
	},
	"info-reset": &workflow.Info{
		Status: enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, NextEventID: 43, LastBatchID: 42,
		NewRunID: "made", ResetRunID: "made", ResetEventID: 9,
	},
	"signal-child":    &workflow.External{InitiatedEventID: 7, BatchID: 6, RequestID: "request", ChildWorkflowOnly: true},
	"update-admitted": &workflow.Update{AdmittedEventID: 12, RequestBytes: 99},
	"message-reconnect": &engine.Message{
		Kind: engine.MessageReconnect, From: sampleRun, To: sampleID, ToFirstRunID: "first", EventID: 5, BatchID: 5, RequestID: "request",
	},
	"info-override": &workflow.Info{
		Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, NextEventID: 2, LastBatchID: 1,
		VersioningOverride: &workflowpb.VersioningOverride{Behavior: enumspb.VERSIONING_BEHAVIOR_AUTO_UPGRADE,
			Override: &workflowpb.VersioningOverride_AutoUpgrade{AutoUpgrade: true}},
	},
	"info-skipping": &workflow.Info{
		Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, NextEventID: 8, LastBatchID: 5,
		Skipping: &workflow.Skipping{Config: &commonpb.TimeSkippingConfig{Enabled: true}, Skipped: time.Hour, Count: 2, Target: sampleTime, Reached: true},
	},
	"info-paused": &workflow.Info{
		Status: enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED, NextEventID: 43, LastBatchID: 42, FirstTaskDone: true,
		Pause: &workflow.Pause{Time: sampleTime, Identity: "me@host", Reason: "maintenance"}, PauseRequestID: "pause", UnpauseRequestID: "unpause",
	},
	"activity": &activity.State{
		ID: "a1", Type: "Charge", Options: activity.Options{
			TaskQueue: "orders", ScheduleToClose: time.Hour, ScheduleToStart: time.Minute, StartToClose: time.Second,
			Heartbeat: time.Second / 2, RetryPolicy: &commonpb.RetryPolicy{MaximumAttempts: 3},
		},
		Status: activity.StatusStarted, Attempt: 2, Stamp: 5, ScheduledTime: sampleTime, DueTime: sampleTime.Add(time.Second),
		Offered: true, StartedTime: sampleTime.Add(2 * time.Second), RequestID: "poll", Identity: "me@host",
		LastHeartbeatTime: sampleTime.Add(3 * time.Second), LastFailure: &failurepb.Failure{Message: "declined"},
		HeartbeatDetails:    &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: []byte("half")}}},
		LastAttemptComplete: sampleTime, RetryInterval: time.Second, CancelRequested: true, CancelRequestedEventID: 9,
		ScheduledEventID: 5, BatchID: 4,
	},
	"activity-paused": &activity.State{
		ID: "a1", Type: "Charge", Options: activity.Options{TaskQueue: "orders", StartToClose: time.Second, RetryPolicy: &commonpb.RetryPolicy{MaximumAttempts: 3}},
		Status: activity.StatusStarted, Attempt: 1, Stamp: 5, ScheduledTime: sampleTime, DueTime: sampleTime, StartedTime: sampleTime,
		Paused: true, Pause: activity.Pause{Time: sampleTime, Identity: "operator", Reason: "maintenance", RequestID: "pause"},
		Resetting: true, ResetHeartbeat: true, ScheduledEventID: 5, BatchID: 4,
	},
	"alone-start": &standalone.Start{
		NamespaceName: "default", ActivityType: "Charge", Identity: "me@host", RequestID: "request", ScheduleTime: sampleTime,
		Options:          activity.Options{TaskQueue: "orders", StartToClose: time.Second, StartDelay: time.Minute, RetryPolicy: &commonpb.RetryPolicy{MaximumAttempts: 3}},
		Input:            &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: []byte("7")}}},
		Header:           &commonpb.Header{Fields: map[string]*commonpb.Payload{"b": {Data: []byte("2")}, "a": {Data: []byte("1")}}},
		UserMetadata:     &sdkpb.UserMetadata{Summary: &commonpb.Payload{Data: []byte("charge it")}},
		SearchAttributes: &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{"Customer": {Data: []byte("me")}}},
		Links:            []*commonpb.Link{sampleLink("one"), sampleLink("two")}, NexusContext: &nexuspb.PropagatedSerializationContext{Endpoint: "e"}, Eager: true,
	},
	"alone-info": &standalone.Info{
		Status: enumspb.ACTIVITY_EXECUTION_STATUS_CANCELED, Transitions: 17, Heartbeats: 3, StateBytes: 1234, LastStartedTime: sampleTime,
		SDKName: "temporal-go", SDKVersion: "1.36.0",
		Cancel:         &standalone.Request{ID: "cancel", Identity: "me@host", Reason: "changed my mind", Time: sampleTime},
		Terminate:      &standalone.Request{Identity: "operator"},
		PauseRequestID: "pause", UnpauseRequestID: "unpause", ResetRequestID: "reset", OptionsRequestID: "options",
		CloseTime: sampleTime, DeleteAt: sampleTime.Add(24 * time.Hour), Armed: sampleTime.Add(24 * time.Hour),
	},
	"alone-activity": &activity.State{
		ID: "charge-7", Type: "Charge", House: activity.Alone,
		Options: activity.Options{TaskQueue: "orders", StartToClose: time.Second, StartDelay: time.Minute, RetryPolicy: &commonpb.RetryPolicy{MaximumAttempts: 3}},
		Status:  activity.StatusStarted, Attempt: 2, Stamp: 5, ScheduledTime: sampleTime, DueTime: sampleTime.Add(time.Hour), StartedTime: sampleTime.Add(time.Hour),
		RetryInterval: time.Second, GivenDelay: true, Resetting: true, ResetOptions: &activity.Options{TaskQueue: "orders"},
	},
	"alone-attachment": &standalone.Attachment{Number: 1, RequestID: "second", Links: []*commonpb.Link{sampleLink("three")}},
	"timer":            &workflow.Timer{ID: "t1", StartedEventID: 6, FireTime: sampleTime},
	"child": &workflow.Child{
		InitiatedEventID: 7, BatchID: 4, StartedEventID: -1, NamespaceID: sampleID.NamespaceID, NamespaceName: "default",
		WorkflowID: "order-7/child", RunID: "run", WorkflowType: "Ship", ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_ABANDON, Control: "c",
	},
	"signal": &workflow.External{
		InitiatedEventID: 8, BatchID: 4, NamespaceID: sampleID.NamespaceID, NamespaceName: "default",
		Target: &commonpb.WorkflowExecution{WorkflowId: "other"}, Control: "c", RequestID: "r",
	},
	"request": &workflow.Request{EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, EventID: 3},
	"update":  &workflow.Update{AcceptedEventID: 8, AcceptedBatchID: 7, CompletedEventID: 9, CompletedBatchID: 7, RequestBytes: 120},
	"callback": &callback.State{
		Callback: &commonpb.Callback{Variant: &commonpb.Callback_Nexus_{Nexus: &commonpb.Callback_Nexus{
			Url: "https://example.com/cb", Header: map[string]string{"b": "2", "a": "1"}}}},
		Registered: sampleTime, RequestID: "r", AttachedBy: "other", UpdateID: "u1", Status: enumspb.CALLBACK_STATE_BACKING_OFF,
		Attempt: 2, Blocks: 1, Stamp: 4, Due: sampleTime.Add(time.Minute), Closed: sampleTime, LastAttemptComplete: sampleTime,
		LastFailure: &failurepb.Failure{Message: "no"}, BlockedReason: "The circuit breaker is open.",
	},
	"current": &Current{RunID: sampleRun.RunID},
	"task":    &sampleTask,
	"message": &engine.Message{
		Kind: engine.MessageStartChild, From: sampleRun, To: sampleID, ToRunID: "run", ToFirstRunID: "first", EventID: 7, BatchID: 4,
		ToEventID: 9, ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_TERMINATE, ChildWorkflowOnly: true, RequestID: "r",
		Root: &commonpb.WorkflowExecution{WorkflowId: "root"}, NamespaceName: "default", FirstRunID: "first",
	},
	"visibility": &engine.VisibilityRecord{
		Run: sampleRun, NamespaceName: "default", Type: "Order", TaskQueue: "orders", Status: enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED,
		StartTime: sampleTime, ExecutionTime: sampleTime, CloseTime: sampleTime.Add(time.Second), HistoryLength: 42, HistorySizeBytes: 12345,
		StateTransitionCount: 17, Memo: &commonpb.Memo{Fields: map[string]*commonpb.Payload{"b": {Data: []byte("2")}, "a": {Data: []byte("1")}}},
		Version: 17,
	},
}

func sampleLink(activityID string) *commonpb.Link {
	return &commonpb.Link{Variant: &commonpb.Link_Activity_{Activity: &commonpb.Link_Activity{Namespace: "default", ActivityId: activityID}}}
}

// samplesOf maps a second sample to the codec of the first.
var samplesOf = map[string]string{"info-closed": "info", "info-override": "info", "info-paused": "info", "info-skipping": "info", "activity-paused": "activity",
	"start-reset": "start", "info-reset": "info", "signal-child": "signal", "update-admitted": "update", "message-reconnect": "message"}

// What any release has written is read as it was meant, and this release writes
// the very same bytes.
func TestGoldenValues(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(samples)) {
		c := codecs[name]
		if as, ok := samplesOf[name]; ok {
			c = codecs[as]
		}
		value := golden(t, name, c.encode(samples[name]))
		read, err := c.decode(value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		compare(t, name, reflect.ValueOf(samples[name]), reflect.ValueOf(read))
	}
}

// Each kind of value has a sample.
func TestEveryCodecHasSample(t *testing.T) {
	for name := range codecs {
		// The parts of signals and cancels to others are of one type.
		if _, ok := samples[name]; !ok && name != "cancel" {
			t.Errorf("%s has no golden sample", name)
		}
	}
}

// History rows and values that hold messages of the API, likewise.
func TestGoldenMessages(t *testing.T) {
	batch := []*historypb.HistoryEvent{
		{EventId: 1, TaskId: 1, EventTime: timestamppb.New(sampleTime), EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED},
		{EventId: 2, TaskId: 2, EventTime: timestamppb.New(sampleTime), EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED},
	}
	h, err := OpenHistory(golden(t, "history", EncodeHistory(batch)))
	if err != nil {
		t.Fatal(err)
	}
	read, err := h.Events()
	if err != nil || !proto.Equal(&historypb.History{Events: read}, &historypb.History{Events: batch}) {
		t.Errorf("history: %v, %v", read, err)
	}

	var ev historypb.HistoryEvent
	buffered := golden(t, "buffered", encodeMessage(kind(PartBuffered), batch[0]))
	if err := decodeMessage(kind(PartBuffered), buffered, &ev); err != nil || !proto.Equal(&ev, batch[0]) {
		t.Errorf("buffered: %v, %v", &ev, err)
	}

	outcome := &activitypb.ActivityExecutionOutcome{
		Value:      &activitypb.ActivityExecutionOutcome_Failure{Failure: &failurepb.Failure{Message: "declined"}},
		RetryState: enumspb.RETRY_STATE_NON_RETRYABLE_FAILURE,
	}
	var readOutcome activitypb.ActivityExecutionOutcome
	value := golden(t, "alone-outcome", encodeMessage(kind(PartAloneOutcome), outcome))
	if err := decodeMessage(kind(PartAloneOutcome), value, &readOutcome); err != nil || !proto.Equal(&readOutcome, outcome) {
		t.Errorf("outcome: %v, %v", &readOutcome, err)
	}

	texts := map[int]string{1: "default", 2: "REGISTERED"}
	var retention durationpb.Duration
	gotTexts, err := DecodeMeta(golden(t, "meta", EncodeMeta(texts, durationpb.New(time.Hour))), &retention)
	if err != nil || !maps.Equal(gotTexts, texts) || retention.Seconds != 3600 {
		t.Errorf("meta: %v, %v, %v", gotTexts, &retention, err)
	}
}

// Keys are part of the format too.
func TestGoldenKeys(t *testing.T) {
	for name, key := range map[string]store.Key{
		"key-current":        CurrentKey(sampleID),
		"key-begin":          BeginKey(sampleRun),
		"key-own-info":       StateKey{Run: sampleRun, Part: PartInfo}.Key(),
		"key-own-activity":   StateKey{Run: sampleRun, Part: PartActivity, Number: 5}.Key(),
		"key-own-attachment": StateKey{Run: sampleRun, Part: PartAloneAttachment, Number: 1}.Key(),
		"key-own-timer":      StateKey{Run: sampleRun, Part: PartTimer, Text: "t\x001"}.Key(),
		"key-own-history":    HistoryKey(sampleRun, 42),
		"key-deadline":       DeadlineKey(sampleTime, sampleRun),
		"key-task":           TaskKey(&sampleTask),
		"key-outbox":         OutboxKey(7, FirstSequence(3)),
		"key-feed":           NumberedFeedKey(7, FirstSequence(3)),
		"key-feed-run":       FeedKey(sampleRun),
		"key-meta":           MetaKey(store.SystemSlot, "namespace", "default"),
	} {
		full := append([]byte{byte(key.Family), byte(key.Slot >> 8), byte(key.Slot)}, key.Name...)
		golden(t, name, full)
	}
}

// Rows of format 1 are found under names that say more, and get their present ones.
func TestGoldenNamesOfFormat1(t *testing.T) {
	for old, now := range map[string]store.Key{
		"key-state-info": StateKey{Run: sampleRun, Part: PartInfo}.Key(),
		"key-activity":   StateKey{Run: sampleRun, Part: PartActivity, Number: 5}.Key(),
		"key-attachment": StateKey{Run: sampleRun, Part: PartAloneAttachment, Number: 1}.Key(),
		"key-timer":      StateKey{Run: sampleRun, Part: PartTimer, Text: "t\x001"}.Key(),
		"key-history":    HistoryKey(sampleRun, 42),
	} {
		full := readGolden(t, old)
		key := store.Key{Family: store.Family(full[0]), Slot: store.Slot(full[1])<<8 | store.Slot(full[2]), Name: full[3:]}
		if got, was, err := Renamed(key); err != nil || !was || got.Compare(now) != 0 {
			t.Errorf("%s is renamed %v, %t, %v; want %v", old, got, was, err, now)
		}
	}
	for _, key := range []store.Key{BeginKey(sampleRun), StateKey{Run: sampleRun, Part: PartInfo}.Key(), HistoryKey(sampleRun, 42)} {
		if got, was, err := Renamed(key); err != nil || was || got.Compare(key) != 0 {
			t.Errorf("%v is renamed %v, %t, %v", key, got, was, err)
		}
	}
}

// golden compares bytes with those in testdata and returns the latter.
func golden(t *testing.T, name string, got []byte) []byte {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(goldenPath(name), dump(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want := readGolden(t, name)
	if string(got) != string(want) {
		t.Errorf("%s is now written as\n%swhere a release wrote\n%s", name, dump(got), dump(want))
	}
	return want
}

func goldenPath(name string) string {
	return filepath.Join("testdata", fmt.Sprintf("v%d", formatVersion), name+".hex")
}

func readGolden(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(goldenPath(name))
	if err != nil {
		t.Fatalf("%v (run go test -rewrite to make a new one)", err)
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return b
}

// dump shows bytes as lines of hexadecimal digits.
func dump(b []byte) []byte {
	var out []byte
	for line := range slices.Chunk(b, 32) {
		out = append(hex.AppendEncode(out, line), '\n')
	}
	return out
}
