package frontend

import (
	commandpb "go.temporal.io/api/command/v1"
)

// checkTargets refuses a completion with a command that names a namespace nobody
// knows: the call fails and the workflow task stays as it is (spec/workflow.md
// 3.8). That a known one is another than the run's own is for the core to say.
func (f *Frontend) checkTargets(commands []*commandpb.Command) error {
	for _, c := range commands {
		if name := targetNamespace(c); name != "" && f.registry.ByName(name) == nil {
			return noNamespace(name)
		}
	}
	return nil
}

// targetNamespace is the namespace a command names; empty for none, which means
// the run's own.
func targetNamespace(c *commandpb.Command) string {
	switch a := c.GetAttributes().(type) {
	case *commandpb.Command_StartChildWorkflowExecutionCommandAttributes:
		return a.StartChildWorkflowExecutionCommandAttributes.GetNamespace()
	case *commandpb.Command_SignalExternalWorkflowExecutionCommandAttributes:
		return a.SignalExternalWorkflowExecutionCommandAttributes.GetNamespace()
	case *commandpb.Command_RequestCancelExternalWorkflowExecutionCommandAttributes:
		return a.RequestCancelExternalWorkflowExecutionCommandAttributes.GetNamespace()
	}
	return ""
}
