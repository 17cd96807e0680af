package shard

import "time"

// While the store has no room, a shard holds: it answers reads, carries nothing
// out and writes nothing, and what falls due waits. It came to this by a commit
// that failed with store.ErrFull, which changed nothing, and opened its slots
// again, so its memory is what is durable. Without holding, each deadline that
// is due would bring it down anew, reads and all.

// lookForRoom is how often a shard that holds looks whether there is room.
const lookForRoom = time.Second

// holding reports whether the shard holds. It ends when the disk is above its
// low-water mark again, not when the reserve is just about left: a completion
// would only touch it again.
func (s *shard) holding() bool {
	if s.full && !s.opt.Driver.Full() {
		s.full = false
		s.opt.Log.Info("the store has room again, the shard goes on", "shard", s.index)
	}
	return s.full
}
