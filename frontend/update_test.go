package frontend

import (
	"context"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/shard"
)

func (f *fakeExecutions) Update(_ context.Context, id engine.ID, runID string, in *workflow.UpdateWorkflow, _ shard.Patience) (*workflow.UpdateStatus, error) {
	reply, err := f.Do(context.Background(), id, runID, in)
	status, _ := reply.(*workflow.UpdateStatus)
	return status, err
}

func (f *fakeExecutions) UpdateWithStart(_ context.Context, id engine.ID, in *workflow.UpdateWithStart, _ shard.Patience) (*workflow.UpdatedWithStart, error) {
	reply, err := f.Do(context.Background(), id, "", in)
	done, _ := reply.(*workflow.UpdatedWithStart)
	return done, err
}

func (f *fakeExecutions) PollUpdate(_ context.Context, id engine.ID, _, updateID string, _ shard.Patience) (*workflow.UpdateStatus, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.mu.run.UpdateStatus(updateID); s != nil {
		return s, nil
	}
	return nil, engine.NotFound("update %q not found", updateID)
}
