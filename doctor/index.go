package doctor

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/visibility"
)

// index is the visibility index being compared.
type index struct {
	*visibility.Examination
	// leaving are the runs whose deletion the feed has still to bring.
	leaving map[engine.RunKey]bool
}

// openIndex verifies the index; without one that is whole there is nothing to
// compare.
func (e *examiner) openIndex() error {
	path := filepath.Join(e.options.Data, "visibility.db")
	x, err := visibility.Examine(e.ctx, path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.report.find("index-missing", path, "there is no such file")
	case errors.Is(err, visibility.ErrDamaged):
		e.report.find("index-damaged", path, "%v", err)
	case err != nil:
		return err
	case !x.Complete:
		e.report.find("index-missing", path, "it was being built")
		return x.Close()
	default:
		e.index = &index{Examination: x, leaving: map[engine.RunKey]bool{}}
	}
	return nil
}

// compareIndex compares the runs of a slot with their rows (I10). What the feed
// has still to bring is not in the index yet.
func (e *examiner) compareIndex(s *slot) error {
	if e.index == nil {
		return nil
	}
	for key, v := range s.feed {
		if v.Deleted {
			e.index.leaving[key] = true
		}
	}
	for _, r := range s.sorted() {
		if r.loaded == nil {
			continue
		}
		entry, ok, err := e.index.Find(e.ctx, r.key)
		if err != nil {
			return err
		}
		state := r.loaded.VisibilityRecord()
		if ok && entry.Version > state.Version {
			e.report.find("index-ahead", e.name(r.key), "its row in the index is of version %d, its state of version %d", entry.Version, state.Version)
			continue
		}
		if s.feed[r.key] != nil {
			continue
		}
		if !ok {
			e.report.find("index-differs", e.name(r.key), "it has no row in the index, and the feed does not bring one")
			continue
		}
		if same, err := entry.Shows(state); err != nil || !same {
			e.report.find("index-differs", e.name(r.key), "its row in the index, of version %d, says something else than its state", entry.Version)
		}
	}
	return nil
}

// closeIndex looks for rows without an execution.
func (e *examiner) closeIndex() error {
	if e.index == nil {
		return nil
	}
	// A row without a run may be of an index that is older than the store. One that
	// is newer knows that the run was there. (One flipped bit makes a position large,
	// and no run vanish.)
	epoch, err := e.index.Epoch(e.ctx)
	if err != nil {
		return errors.Join(err, e.index.Close())
	}
	orphan := "index-differs"
	if epoch > e.report.Epoch {
		orphan = "index-ahead"
	}
	err = e.index.Each(e.ctx, func(entry visibility.Entry) error {
		e.report.IndexRows++
		if e.index.leaving[entry.Run] {
			return nil
		}
		found := false
		from := record.BeginKey(entry.Run)
		to := from
		to.Name = append(slices.Clone(from.Name), 0)
		err := e.store.Scan(e.ctx, from, to, func(store.Entry) bool { found = true; return false })
		if err == nil && !found {
			e.report.find(orphan, e.name(entry.Run), "it has a row in the index and is not there")
		}
		return e.unreadable(err, "%s", e.name(entry.Run))
	})
	return errors.Join(err, e.index.Close())
}
