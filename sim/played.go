package main

import (
	commandpb "go.temporal.io/api/command/v1"
	protocolpb "go.temporal.io/api/protocol/v1"
)

// played counts what has really happened in a world, by its kind and name: inputs
// that the machines have carried out, commands and messages of workers that they
// have taken, events of histories. A part of the workload that never comes to pass
// proves nothing.
type played map[string]int

func (p played) input(kind string)              { p["input "+kind]++ }
func (p played) command(cmd *commandpb.Command) { p["command "+cmd.GetCommandType().String()]++ }
func (p played) message(m *protocolpb.Message) {
	p["message "+string(m.GetBody().MessageName().Name())]++
}
func (p played) event(kind interface{ String() string }) { p["event "+kind.String()]++ }
