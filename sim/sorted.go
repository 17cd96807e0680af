package main

import (
	"maps"
	"slices"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func sortedNumbers[V any](m map[int64]V) []int64 { return slices.Sorted(maps.Keys(m)) }
