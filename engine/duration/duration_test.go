package duration

import (
	"math"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
)

// Spec workflow.md 0.1: nil is zero, negatives and mixed signs are refused with
// exact texts, more than 100 years is cut.
func TestDurations(t *testing.T) {
	for _, c := range []struct {
		name string
		in   *durationpb.Duration
		err  string
		want time.Duration
	}{
		{"absent is zero", nil, "", 0},
		{"what most workflow tasks have", durationpb.New(10 * time.Second), "", 10 * time.Second},
		{"a second and a half", durationpb.New(1500 * time.Millisecond), "", 1500 * time.Millisecond},
		{"negative seconds", &durationpb.Duration{Seconds: -1}, "negative duration", 0},
		{"negative nanos", &durationpb.Duration{Nanos: -1}, "negative duration", 0},
		{"mixed signs", &durationpb.Duration{Seconds: 1, Nanos: -1}, "duration has seconds and nanos with different signs", 1e9 - 1},
		{"mixed signs the other way", &durationpb.Duration{Seconds: -1, Nanos: 1}, "duration has seconds and nanos with different signs", 0},
		{"a century exactly", durationpb.New(Max), "", Max},
		{"longer than a century is cut", &durationpb.Duration{Seconds: math.MaxInt64}, "", Max},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			if err := Check(c.in); err != nil {
				got = err.Error()
			}
			if got != c.err {
				t.Errorf("Check: %q, want %q", got, c.err)
			}
			if d := Of(c.in); d != c.want {
				t.Errorf("Of: %v, want %v", d, c.want)
			}
			if d := Of(Proto(c.want)); d != c.want {
				t.Errorf("%v was sent as %v", c.want, d)
			}
		})
	}
}
