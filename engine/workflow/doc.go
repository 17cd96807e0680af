// Package workflow is the machine of the workflow execution. It is pure: see
// package engine.
package workflow
