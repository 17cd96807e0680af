package pebblestore

import (
	"sync/atomic"
	"time"
)

// space watches the free bytes of the disk. It has no goroutine: whoever asks
// when the last measurement is too old takes a new one, which is one statfs.
type space struct {
	usage func() (Disk, error)
	now   func() time.Time
	every time.Duration

	lowWater, reserve uint64 // as configured; 0 means derived from the disk's size

	// written since the last measurement, and how much of that calls for a new one
	// before its time: a disk must not fill up unseen within a second.
	written, slack atomic.Uint64

	measured atomic.Int64 // Unix nanoseconds of the last measurement; 0 is never
	free     atomic.Uint64
	known    atomic.Bool // the last measurement worked
	low      atomic.Bool // below the low-water mark
	empty    atomic.Bool // below the reserve
}

// look measures if it is time to.
func (s *space) look() {
	last, now := s.measured.Load(), s.now().UnixNano()
	recent := last != 0 && now-last < int64(s.every) && (s.slack.Load() == 0 || s.written.Load() < s.slack.Load())
	if recent || !s.measured.CompareAndSwap(last, max(now, 1)) {
		return
	}
	s.written.Store(0)
	disk, err := s.usage()
	s.known.Store(err == nil)
	if err != nil {
		s.low.Store(false)
		s.empty.Store(false)
		return
	}
	s.free.Store(disk.FreeBytes)
	lowWater, reserve := s.marks(disk)
	s.slack.Store(max(reserve/8, mebibyte))
	s.low.Store(disk.FreeBytes < withSlack(lowWater, s.low.Load()))
	s.empty.Store(disk.FreeBytes < withSlack(reserve, s.empty.Load()))
}

// marks returns the low-water mark and the reserve for the disk.
func (s *space) marks(disk Disk) (lowWater, reserve uint64) {
	lowWater, reserve = s.lowWater, s.reserve
	if lowWater == 0 {
		lowWater = min(1024*mebibyte, disk.TotalBytes/20)
		lowWater = max(lowWater, reserve)
	}
	if reserve == 0 {
		reserve = lowWater / 4
	}
	return lowWater, reserve
}

// withSlack raises a mark by an eighth for a disk that is below it, so that the
// state does not flicker.
func withSlack(mark uint64, below bool) uint64 {
	if below {
		return mark + mark/8
	}
	return mark
}
