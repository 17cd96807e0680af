package memstore

import (
	"iter"

	"github.com/perdure/perdure/store"
)

// Image is a disk at a moment. It never changes; taking one costs nothing.
type Image struct {
	root  *node
	epoch uint64
}

// Image returns the disk as a power cut would leave it now if it lost all that
// is in flight.
func (d *Driver) Image() *Image {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &Image{root: d.mu.durable, epoch: d.mu.epoch}
}

// Crash ends the process that holds the database and returns the disk that
// survived: everything acknowledged and, for each shard on its own, the prefix
// of what was in flight that Chance draws. No done function is called from here
// on, and every other call fails with store.ErrClosed.
func (d *Driver) Crash() *Image { return d.CrashBroken(Broken{}) }

// Broken makes a crash leave what no driver may leave. It exists to prove that
// checkers notice.
type Broken struct {
	// Tear applies half of the first batch of each shard that was not to survive.
	Tear bool
	// Lose drops keys for which it returns true, acknowledged or not.
	Lose func(store.Key) bool
}

// CrashBroken is Crash on a store that breaks its promises.
func (d *Driver) CrashBroken(broken Broken) *Image {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.crashed {
		return &Image{root: d.mu.durable, epoch: d.mu.epoch}
	}
	d.mu.crashed = true
	for _, s := range d.mu.shards {
		d.mu.durable = s.survive(d.mu.durable, broken.Tear)
		s.queue = nil
		s.idle.Broadcast()
	}
	for _, p := range d.mu.late {
		d.mu.durable = apply(d.mu.durable, p.ops)
	}
	d.mu.late = nil
	img := &Image{root: d.mu.durable, epoch: d.mu.epoch}
	if broken.Lose != nil {
		img = img.without(broken.Lose)
	}
	return img
}

// survive returns the tree after what remains of the shard's batches in flight.
func (s *shard) survive(root *node, tear bool) *node {
	open := s.unsettled()
	if s.driver.opt.Tear != nil && !tear {
		return s.recovered(root, open)
	}
	n := s.driver.prefix(len(open))
	for i, p := range open {
		if p.fault.Err != nil && p.fault.Fate == Lost {
			return root
		}
		if i >= n {
			if tear {
				root = apply(root, p.ops[:len(p.ops)/2])
			}
			return root
		}
		root = apply(root, p.ops)
	}
	return root
}

// recovered returns the tree after what recovery finds in the log.
func (s *shard) recovered(root *node, open []*batch) *node {
	var log []byte
	var ends []int
	for _, p := range open {
		if p.fault.Err != nil && p.fault.Fate == Lost {
			break
		}
		log = frame(log, p.ops)
		ends = append(ends, len(log))
	}
	if len(ends) == 0 {
		return root
	}
	return replay(root, s.driver.opt.Tear(log, ends))
}

// Len is the number of keys.
func (img *Image) Len() int { return count(img.root) }

// Get returns the value under key; nil, false if there is none. The bytes are
// the image's own: do not change them.
func (img *Image) Get(key store.Key) ([]byte, bool) { return get(img.root, encodeKey(key)) }

// All goes through every entry, in order of the keys. Values are the image's own.
func (img *Image) All() iter.Seq2[store.Key, []byte] {
	return func(yield func(store.Key, []byte) bool) {
		walk(img.root, "", "\xff\xff\xff\xff", func(n *node) bool { return yield(decodeKey(n.key), n.value) })
	}
}

// Range goes through the entries of [from, to), in order. Values are the
// image's own.
func (img *Image) Range(from, to store.Key) iter.Seq2[store.Key, []byte] {
	return func(yield func(store.Key, []byte) bool) {
		walk(img.root, encodeKey(from), encodeKey(to), func(n *node) bool { return yield(decodeKey(n.key), n.value) })
	}
}

// With returns the image with another value under key; nil removes it. It is
// how a test damages a disk at rest.
func (img *Image) With(key store.Key, value []byte) *Image {
	op := store.Op{Key: key, Value: value}
	return &Image{root: apply(img.root, []store.Op{op}), epoch: img.epoch}
}

func (img *Image) without(drop func(store.Key) bool) *Image {
	kept := img.root
	for key := range img.All() {
		if drop(key) {
			kept = apply(kept, []store.Op{{Key: key}})
		}
	}
	return &Image{root: kept, epoch: img.epoch}
}
