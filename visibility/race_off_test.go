//go:build !race

package visibility

const underRace = false
