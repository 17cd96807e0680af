package bench

import (
	"testing"
	"time"
)

// The stirred all wait for one time, which lies ahead; those that a timer has
// woken are counted, and with rest none is armed again.
func TestCrowdIsArmedForOneTime(t *testing.T) {
	c := &crowd{Prefix: "bench-million-1", Count: 40}
	if got := numberOf(c.id(39)); got != 39 || c.stirred() != 4 {
		t.Errorf("execution 39 is number %d, %d are stirred", got, c.stirred())
	}
	first, ok := c.woken(false)
	second, _ := c.woken(true)
	if !ok || !first.Equal(second) || time.Until(first) < armAhead {
		t.Errorf("armed for %v, then %v", first, second)
	}
	if armed, handed, due, at := c.progress(); armed != 2 || handed != 1 || !due.Equal(first) || at.IsZero() {
		t.Errorf("%d armed for %v, %d handed out, the first at %v", armed, due, handed, at)
	}
	// Too late for the rest to be armed: all of them are, again, for a later time.
	c.due = time.Now().Add(armAhead / 2)
	if later, _ := c.woken(true); !later.After(first) {
		t.Errorf("armed for %v, after %v", later, first)
	}
	if armed, _, _, _ := c.progress(); armed != 1 {
		t.Errorf("%d count as armed for the later time", armed)
	}
	c.phase(true)
	if _, ok := c.woken(true); ok {
		t.Error("armed again, though at rest")
	}
	if armed, handed, _, _ := c.progress(); armed != 0 || handed != 1 {
		t.Errorf("%d armed, %d handed out", armed, handed)
	}
}

// A folder remembers its executions.
func TestCrowdOfAFolder(t *testing.T) {
	folder := t.TempDir()
	if c, err := loadCrowd(folder); c != nil || err != nil {
		t.Errorf("in an empty folder: %v, %v", c, err)
	}
	if err := (&crowd{Prefix: "p", Count: 7}).save(folder); err != nil {
		t.Fatal(err)
	}
	if c, err := loadCrowd(folder); err != nil || c.Prefix != "p" || c.Count != 7 {
		t.Errorf("%+v, %v", c, err)
	}
}
