// Package callbacks makes the requests of completion callbacks: it tells an HTTP
// endpoint how a workflow, an update or a standalone activity has ended, in the
// form of the Nexus protocol (github.com/nexus-rpc/api, "Callback URLs").
//
// It keeps nothing: what is to be delivered is durable in the shards, which ask
// for each try (engine.Delivery) and are given a report of it
// (callback.Answer). A try whose report never arrives is made again by them, so
// a crash here costs nothing but a repetition, which the receiver recognises by
// the Nexus-Request-Id header.
//
// # One slow receiver must not be everybody's
//
// Deliveries wait in a queue for each destination (scheme, host and port). So
// many requests are under way to one of them and to all together; destinations
// take turns. What waits is bounded by number and by bytes, and beyond that a
// try is reported as blocked: the execution asks again later. A destination
// that fails time after time is left alone for a minute (a circuit breaker),
// then tried with one request.
//
// # Whom we talk to
//
// Callback addresses come from clients, and the server may reach what clients
// cannot. So nothing is called that the operator has not allowed: Addresses is
// empty by default. Whatever is allowed, redirects are not followed, no proxy is
// used, and link-local, multicast and unspecified addresses are never called
// (cloud metadata services live there), whatever name leads to them. A response
// is read up to 64 KiB.
package callbacks
