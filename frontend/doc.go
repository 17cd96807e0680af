// Package frontend is the edge of the server: it answers WorkflowService and
// OperatorService over gRPC, the same API as JSON over HTTP, the health check
// and reflection. It owns nothing. A call is checked, routed to the shard that
// owns the execution (or to matching, the registry, visibility), and what comes
// back is put into the API's words.
//
// # The way of a call
//
//  1. intercept.go takes every call of the API: it counts and times it, turns a
//     panic into an answer, refuses callers whose version does not fit
//     (handshake.go), finds the namespace (resolve.go), and at the end turns
//     whatever error came back into a gRPC status (errors.go, the only table).
//  2. The handler validates the request as far as that needs no state, in the
//     order and with the texts of the specification (validate_*.go).
//  3. It asks the backend behind the narrow interfaces of backend.go.
//
// # What it guarantees
//
// Nobody is told of a change that is not on stable storage: the backend's
// answers come after the commit, and this package invents none. Stored history
// is passed on as the bytes it is stored in (raw.go): the gRPC path never
// decodes it. Opaque tokens handed to callers are versioned and checksummed
// (token.go, page.go), and garbage gives a clear error, never a panic. Waiting
// calls are bounded per namespace (waiting.go) and end with an empty answer
// shortly before the caller's deadline, and at once when the server drains.
//
// # Cost
//
// Per call: one context value, one small record for metrics, one look-up of the
// namespace in memory. A poll answer is built from the reply of the start plus
// one read of stored bytes.
package frontend
