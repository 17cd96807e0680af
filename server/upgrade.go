package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// renamedAtOnce is how many bytes of renamed rows are written at once.
const renamedAtOnce = 1 << 20

// upgradeNames gives every row the name it has in this release (record.Renamed).
// It is done once in the life of a folder, before anybody uses the store, and
// goes on where it was cut off. A batch has atOnce bytes, or one row more.
func upgradeNames(ctx context.Context, driver store.Driver, log *slog.Logger, atOnce int) (err error) {
	if done, err := namesUpgraded(ctx, driver); err != nil || done {
		return err
	}
	all := store.SlotRange{From: 0, To: store.SystemSlot + 1}
	st, err := driver.Open(ctx, all)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	rows := 0
	for _, family := range []store.Family{store.FamilyState, store.FamilyHistory} {
		from, to := record.Family(family, all)
		for more := true; more; {
			var b store.Batch
			if from, more, err = renameRows(ctx, st, &b, from, to, atOnce, log); err != nil {
				return err
			}
			rows += len(b.Ops) / 2
			if err := commit(st, &b); err != nil {
				return err
			}
		}
	}
	if rows > 0 {
		log.Info("the rows of an older release have got their present names", "rows", rows)
	}
	var b store.Batch
	b.Put(record.NamesKey(), record.NamesValue())
	return commit(st, &b)
}

// namesUpgraded reports whether that was done. It takes no executions from
// anybody who may have them open.
func namesUpgraded(ctx context.Context, driver store.Driver) (done bool, err error) {
	st, err := driver.Open(ctx, store.SlotRange{From: store.SystemSlot, To: store.SystemSlot + 1})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	switch _, err := st.Get(ctx, record.NamesKey()); {
	case errors.Is(err, store.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, nil
}

// renameRows adds to the batch what renames the rows from a key on, as many as
// fit; more is true when next is where to go on.
func renameRows(ctx context.Context, st store.Shard, b *store.Batch, from, to store.Key, atOnce int, log *slog.Logger) (next store.Key, more bool, err error) {
	err = st.Scan(ctx, from, to, func(e store.Entry) bool {
		if b.SizeBytes >= atOnce {
			next, more = e.Key, true
			next.Name = bytes.Clone(next.Name)
			return false
		}
		now, was, err := record.Renamed(e.Key)
		switch {
		case err != nil:
			log.Error("a row is left as it is", "key", e.Key, "error", err)
		case was:
			b.Put(now, bytes.Clone(e.Value))
			e.Key.Name = bytes.Clone(e.Key.Name)
			b.Delete(e.Key)
		}
		return true
	})
	return next, more, err
}

// commit waits until a batch is durable.
func commit(st store.Shard, b *store.Batch) error {
	done := make(chan error, 1)
	st.Commit(b, func(err error) { done <- err })
	if err := <-done; err != nil {
		return fmt.Errorf("rename rows: %w", err)
	}
	return nil
}
