package activity

import "testing"

// What is not on offer need not be recalled; what is loses its offer for good.
func TestRecallVoidsTheOffer(t *testing.T) {
	s := New(InWorkflow, "a", "T", Options{}, epoch)
	if s.Recall() != s {
		t.Error("not on offer, and yet it is another")
	}
	offered := s.Offer()
	back := offered.Recall()
	if back.Offered || !back.MayOffer(epoch) {
		t.Errorf("it cannot be offered again: %+v", back)
	}
	if _, err := back.Start(epoch, offered.Stamp, nil); err == nil {
		t.Error("the old offer was good still")
	}
}
