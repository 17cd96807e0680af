package shard

import (
	"github.com/perdure/perdure/engine/workflow"
)

type runQueries struct{}
type queries struct{}

func (q *queries) init() {}

type directQueries struct{}

func (d *directQueries) init()    {}
func (d *directQueries) dropAll() {}

func (s *shard) queriesAfter(h *held, in workflow.Input, reply any) {}
func (s *shard) settleQueries(h *held)                              {}
func (s *shard) dropQueries(h *held)                                {}
