package server

import (
	"github.com/perdure/perdure/config"
	"github.com/perdure/perdure/engine"
)

// limitsOf are the limits of one execution that the configuration asks for.
func limitsOf(c *config.Config) *engine.Limits {
	l := engine.DefaultLimits()
	l.LimitHistory(c.MaxHistoryEvents, c.MaxHistoryBytes)
	return l
}
