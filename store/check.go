package store

import (
	"bytes"
	"fmt"
)

// MaxNameBytes bounds Key.Name. Namespace, workflow and run ids of the longest
// allowed length fit several times over.
const MaxNameBytes = 8 << 10

// CheckRange returns an error unless slots is a range a shard may be opened
// with: not empty, and within [0, SystemSlot].
func CheckRange(slots SlotRange) error {
	if slots.From >= slots.To || slots.To > SystemSlot+1 {
		return fmt.Errorf("slots [%d, %d) are not a range within [0, %d]", slots.From, slots.To, SystemSlot)
	}
	return nil
}

// CheckKey returns an error unless a shard of the slots may use the key.
func CheckKey(slots SlotRange, key Key) error {
	switch {
	case key.Family == 0:
		return fmt.Errorf("key %v: family 0 belongs to the drivers", key)
	case !slots.Contains(key.Slot):
		return fmt.Errorf("key %v lies outside the shard's slots [%d, %d)", key, slots.From, slots.To)
	case len(key.Name) > MaxNameBytes:
		return fmt.Errorf("key in family %d, slot %d has a name of %d bytes, more than %d",
			key.Family, key.Slot, len(key.Name), MaxNameBytes)
	}
	return nil
}

// CheckScan returns an error unless a shard of the slots may scan [from, to).
// The end may be the first key past the range.
func CheckScan(slots SlotRange, from, to Key) error {
	if err := CheckKey(slots, from); err != nil {
		return err
	}
	past := to.Slot == slots.To && len(to.Name) == 0
	if from.Family != to.Family || !past && !slots.Contains(to.Slot) {
		return fmt.Errorf("scan from %v to %v leaves the family or the shard's slots [%d, %d)", from, to, slots.From, slots.To)
	}
	return nil
}

// CheckBatch returns ErrNotDone, with the reason, unless a shard of the slots
// may commit the batch.
func CheckBatch(slots SlotRange, b *Batch) error {
	for i := range b.Ops {
		op := &b.Ops[i]
		if err := CheckKey(slots, op.Key); err != nil {
			return fmt.Errorf("%w: %w", ErrNotDone, err)
		}
		if op.Until != nil && bytes.Compare(op.Key.Name, op.Until) > 0 {
			return fmt.Errorf("%w: range delete of %v ends before it begins", ErrNotDone, op.Key)
		}
	}
	return nil
}

// Shrinks reports whether the batch only deletes. Such a batch is accepted by a
// full disk, because it is what makes room.
func (b *Batch) Shrinks() bool {
	for i := range b.Ops {
		if b.Ops[i].Value != nil {
			return false
		}
	}
	return true
}

// Compare orders keys as every driver does.
func (k Key) Compare(other Key) int {
	switch {
	case k.Family != other.Family:
		return int(k.Family) - int(other.Family)
	case k.Slot != other.Slot:
		return int(k.Slot) - int(other.Slot)
	}
	return bytes.Compare(k.Name, other.Name)
}

// String is the key as error texts and test failures show it.
func (k Key) String() string { return fmt.Sprintf("%d/%d/%q", k.Family, k.Slot, k.Name) }
