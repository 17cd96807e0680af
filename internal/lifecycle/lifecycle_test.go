package lifecycle_test

import (
	"context"
	"errors"
	"testing"

	"github.com/perdure/perdure/internal/lifecycle"
)

// Stop ends every goroutine, may be repeated, and lets nothing start after it.
func TestGroupStops(t *testing.T) {
	var g lifecycle.Group
	ended := make(chan int, 2)
	for i := range 2 {
		g.Go(func(stop <-chan struct{}) { <-stop; ended <- i })
	}
	for range 2 {
		if err := g.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if len(ended) != 2 {
		t.Errorf("%d goroutines ended, want 2", len(ended))
	}
	if g.Go(func(<-chan struct{}) { t.Error("ran after Stop") }) {
		t.Error("Go after Stop reports true")
	}
	<-g.Stopping()
}

// An empty group stops at once; a stubborn one gives up with its context.
func TestGroupStopWaitsForContext(t *testing.T) {
	var empty, stubborn lifecycle.Group
	if err := empty.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	stubborn.Go(func(<-chan struct{}) { <-release })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := stubborn.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Stop = %v, want the context's error", err)
	}
	close(release)
	if err := stubborn.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
}
