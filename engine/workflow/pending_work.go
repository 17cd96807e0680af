package workflow

import (
	commandpb "go.temporal.io/api/command/v1"

	"github.com/perdure/perdure/engine"
)

// The seam between the run and what is pending in it. Each function moves to
// the file of its command or event as it is built; then it goes from here.

func (c *completion) startChild(cmd *commandpb.Command) error            { return notBuilt() }
func (c *completion) requestCancelExternal(cmd *commandpb.Command) error { return notBuilt() }
func (c *completion) signalExternal(cmd *commandpb.Command) error        { return notBuilt() }

func (d *draft) childClosed(in *ChildClosed) (any, error) { return nil, notBuilt() }
func (d *draft) answered(in *Answered) (any, error)       { return nil, notBuilt() }

// closePending ends what is pending when the run closes, whatever the reason:
// it withdraws offers of activities, sends children what their parent close
// policy says, and removes all activities, timers, children and externals.
func (d *draft) closePending() {}

func notBuilt() error { return engine.Refuse(engine.KindUnimplemented, "being written") }
