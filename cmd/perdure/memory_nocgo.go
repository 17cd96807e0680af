//go:build !cgo

package main

// ballastBytes: see ballast.
const ballastBytes = 0
