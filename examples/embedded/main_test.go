package main

import (
	"context"
	"os"
	"testing"
)

// The example runs as it stands, and leaves its data where it says.
func TestExample(t *testing.T) {
	t.Chdir(t.TempDir())
	for range 2 { // the second run finds the folder of the first
		if err := run(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat("perdure-data"); err != nil {
		t.Error(err)
	}
}
