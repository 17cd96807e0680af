// Package registry keeps the namespaces of a server: their settings, their
// custom search attributes, and the identity of the cluster.
//
// There are few of them, and everything that happens to an execution asks for
// one. So all of them are in memory as one immutable snapshot that readers load
// with a single atomic read; a change writes the namespace's row to the system
// slot, waits until it is durable, and only then swaps the snapshot. A reader
// therefore never acts on a setting that a power cut could undo, and a namespace
// is usable the moment its registration has been answered (NS-5).
//
// Changes take turns. Each costs one synced write; they are made by people.
//
// The rules are those of spec/service.md section 2 (NS-n) and spec/visibility.md
// 1.2 (SA-n). Where the API answers with a message, so does this package; what
// the rules forbid is an *engine.Refusal, what the disk did is a fault.
//
// Two deliberate differences from the documented server. Search attributes have
// no quota: SA-13 never happens, and field names in
// custom_search_attribute_aliases go on past Keyword10. And deleting a namespace
// only marks and renames it here; whoever owns the executions removes them and
// then calls Purge.
package registry
