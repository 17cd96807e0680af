package workflow

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine/priority"
	"github.com/perdure/perdure/engine/versioning"
)

// The options of a run are what may be changed of it while it is open: its
// priority and its versioning override (spec/workflow.md 8.2).

// The paths of UpdateOptions. Priority may be named by its parts, too.
const (
	PathVersioningOverride = "versioning_override"
	PathTimeSkipping       = "time_skipping_config"
	PathPriority           = "priority"
	PathPriorityKey        = "priority.priority_key"
	PathFairnessKey        = "priority.fairness_key"
	PathFairnessWeight     = "priority.fairness_weight"
)

// updateOptions carries out UpdateWorkflowExecutionOptions. What comes to nothing
// leaves no event.
func (d *draft) updateOptions(in *UpdateOptions) (any, error) {
	if !d.isOpen() {
		return nil, closedRun()
	}
	before := d.options()
	after := in.merged(before)
	if err := d.checkOptions(after); err != nil {
		return nil, err
	}
	reply := &workflowservice.UpdateWorkflowExecutionOptionsResponse{WorkflowExecutionOptions: after, UpdateTime: timestamp(d.env.Now)}
	// To ask for the same skipping again begins another session of it.
	skipping := slices.Contains(in.Paths, PathTimeSkipping) && (before.TimeSkippingConfig != nil || after.TimeSkippingConfig != nil)
	if proto.Equal(before, after) && !skipping {
		d.untouched = true
		return reply, nil
	}
	ev := d.event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED)
	ev.WorkerMayIgnore = true
	a := &historypb.WorkflowExecutionOptionsUpdatedEventAttributes{Identity: in.Identity}
	ev.Attributes = &historypb.HistoryEvent_WorkflowExecutionOptionsUpdatedEventAttributes{
		WorkflowExecutionOptionsUpdatedEventAttributes: a}
	if !proto.Equal(before.VersioningOverride, after.VersioningOverride) {
		a.VersioningOverride = after.VersioningOverride
		a.UnsetVersioningOverride = after.VersioningOverride == nil
	}
	if !proto.Equal(before.Priority, after.Priority) {
		// The whole priority; none is an empty one, since without it the event
		// would say nothing of it.
		if a.Priority = after.Priority; a.Priority == nil {
			a.Priority = &commonpb.Priority{}
		}
	}
	if skipping {
		a.TimeSkippingConfig, a.TimeSkippingConfigUpdated = after.TimeSkippingConfig, true
	}
	d.arrive(ev)
	d.reoffer(func() { d.optionsUpdated(ev) })
	return reply, nil
}

// options are those of the run as they are.
func (d *draft) options() *workflowpb.WorkflowExecutionOptions {
	o := &workflowpb.WorkflowExecutionOptions{
		VersioningOverride: d.info.VersioningOverride, Priority: some(d.fixed().Priority),
	}
	if s := d.info.Skipping; s != nil {
		o.TimeSkippingConfig = s.Config
	}
	return o
}

// some is p, or nil when it says nothing.
func some(p *commonpb.Priority) *commonpb.Priority {
	if proto.Size(p) == 0 {
		return nil
	}
	return p
}

func (d *draft) checkOptions(o *workflowpb.WorkflowExecutionOptions) error {
	if err := versioning.Check(o.VersioningOverride); err != nil {
		return err
	}
	if err := CheckSkipping(o.TimeSkippingConfig, d.env.Limits); err != nil {
		return err
	}
	if err := priority.Check(o.Priority, d.env.Limits); err != nil {
		return err
	}
	return versioning.CheckQueue(o.VersioningOverride, d.fixed().TaskQueue)
}

// merged are the options with those replaced that the update names. before is
// not changed.
func (in *UpdateOptions) merged(before *workflowpb.WorkflowExecutionOptions) *workflowpb.WorkflowExecutionOptions {
	after := &workflowpb.WorkflowExecutionOptions{VersioningOverride: before.VersioningOverride, Priority: before.Priority,
		TimeSkippingConfig: before.TimeSkippingConfig}
	if slices.Contains(in.Paths, PathTimeSkipping) {
		after.TimeSkippingConfig = in.Options.GetTimeSkippingConfig()
	}
	if slices.Contains(in.Paths, PathVersioningOverride) {
		after.VersioningOverride = versioning.Normal(in.Options.GetVersioningOverride())
	}
	named := in.Options.GetPriority()
	if slices.Contains(in.Paths, PathPriority) {
		after.Priority = named
	}
	p := &commonpb.Priority{PriorityKey: after.Priority.GetPriorityKey(), FairnessKey: after.Priority.GetFairnessKey(),
		FairnessWeight: after.Priority.GetFairnessWeight()}
	for _, path := range in.Paths {
		switch path {
		case PathPriorityKey:
			p.PriorityKey = named.GetPriorityKey()
		case PathFairnessKey:
			p.FairnessKey = named.GetFairnessKey()
		case PathFairnessWeight:
			p.FairnessWeight = named.GetFairnessWeight()
		}
	}
	after.Priority = some(p)
	return after
}

// optionsUpdated is what WorkflowExecutionOptionsUpdated does to the options,
// even while the event is buffered.
func (d *draft) optionsUpdated(ev *historypb.HistoryEvent) {
	a := ev.GetWorkflowExecutionOptionsUpdatedEventAttributes()
	switch {
	case a.GetUnsetVersioningOverride():
		d.info.VersioningOverride = nil
		d.visible = true
	case a.GetVersioningOverride() != nil:
		d.info.VersioningOverride = a.GetVersioningOverride()
		d.visible = true
	}
	if a.GetTimeSkippingConfigUpdated() {
		d.configured(a.GetTimeSkippingConfig(), ev.GetEventTime().AsTime())
	}
	if p := a.GetPriority(); p != nil {
		s := *d.fixed()
		s.Priority = some(p)
		d.start = &s
	}
}

// reoffer takes everything of the run off its queues, lets it change, and offers
// it again as it is then. With another override the worker that holds the run
// may not be the right one any more: what waits for it goes to the normal queue.
func (d *draft) reoffer(change func()) {
	before := d.info.VersioningOverride
	task := d.info.Task.onOffer()
	if task {
		d.withdrawTask()
	}
	var recalled []int64
	for _, id := range d.activities.keys() {
		if s := d.activities.get(id); s.Offered {
			d.withdrawActivity(s)
			d.activities.put(id, s.Recall())
			recalled = append(recalled, id)
		}
	}
	change()
	if before != d.info.VersioningOverride {
		d.info.Sticky = nil
	}
	if task {
		t := d.editTask()
		if d.info.Sticky == nil {
			t.StickyQueue = ""
		}
		t.ScheduleToStartDeadline = time.Time{}
		d.offerTask(t)
	}
	for _, id := range recalled {
		d.putActivity(d.activities.get(id))
	}
}

// Versioning is what the run shows of its versions: of the worker that has
// completed its last workflow task, and of the override; nil for nothing.
func (i *Info) Versioning() *workflowpb.WorkflowExecutionVersioningInfo {
	if i.VersioningOverride == nil {
		return i.VersioningInfo
	}
	v := proto.CloneOf(i.VersioningInfo)
	if v == nil {
		v = &workflowpb.WorkflowExecutionVersioningInfo{}
	}
	v.VersioningOverride = i.VersioningOverride
	return v
}
