// Package filter parses the list filter of the visibility API: the body of a SQL
// WHERE clause over search attributes, optionally followed by GROUP BY.
//
// It knows the grammar (spec/visibility.md 2.3) and nothing else: names are not
// resolved, types not checked, nothing is executed. The result is one syntax
// tree that the index translates and other listings may evaluate in memory.
//
//	query     := [expr] [GROUP BY name {, name}]
//	expr      := and {(OR | ||) and}
//	and       := not {(AND | &&) not}
//	not       := NOT not | ( expr ) | condition
//	condition := name op value | name [NOT] IN (value, ...)
//	           | name [NOT] BETWEEN value AND value
//	           | name [NOT] STARTS_WITH value | name IS [NOT] NULL
//
// We wrote the parser by hand because the grammar is small, and because clients
// show its messages: for what other SQL dialects allow and this one does not
// (LIKE, ORDER BY, functions, columns on the right) there is a sentence each.
package filter
