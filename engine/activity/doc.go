// Package activity is the machine of the activity execution, used twice: inside
// a workflow, where its outcome becomes events, and standing alone. It is pure:
// see package engine.
package activity
