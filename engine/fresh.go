package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// Fresh yields unique ids as a pure function of a seed: the shell draws the
// seed from the operating system, the simulator from its own.
type Fresh struct {
	seed [16]byte
	n    uint64
}

// NewFresh returns a source of ids for one step.
func NewFresh(seed [16]byte) *Fresh { return &Fresh{seed: seed} }

// UUID returns the next id, in the form of a random (version 4) UUID.
func (f *Fresh) UUID() string {
	f.n++
	return derive(f.seed[:], f.n)
}

// RunID returns the next id, in the form of a time-ordered (version 7) UUID. Runs
// that begin together get ids that lie together: with random ones, each run that
// is written into a large index of them touches a page of its own.
func (f *Fresh) RunID(now time.Time) string {
	f.n++
	id := digest(f.seed[:], f.n)
	millis := uint64(now.UnixMilli()) //nolint:gosec // after 1970
	id[0], id[1], id[2] = byte(millis>>40), byte(millis>>32), byte(millis>>24)
	id[3], id[4], id[5] = byte(millis>>16), byte(millis>>8), byte(millis)
	return versioned(id, 7)
}

// Duration returns the next random duration in [0, below); zero when below is
// not positive, and then it draws nothing.
func (f *Fresh) Duration(below time.Duration) time.Duration {
	if below <= 0 {
		return 0
	}
	f.n++
	sum := sumOf(f.seed[:], f.n)
	// 64 bits over at most 63: the bias of the remainder is of no account here.
	return time.Duration(binary.BigEndian.Uint64(sum[:]) % uint64(below)) //nolint:gosec // below is positive, the remainder less
}

// DerivedUUID is the id that belongs to a thing already named: the same name
// and number give the same id. Messages between executions use it as request
// id, so that a repeated delivery is recognised.
func DerivedUUID(name string, n int64) string { return derive([]byte(name), uint64(n)) }

func derive(seed []byte, n uint64) string { return versioned(digest(seed, n), 4) }

func digest(seed []byte, n uint64) (id uuid.UUID) {
	sum := sumOf(seed, n)
	copy(id[:], sum[:16])
	return id
}

func sumOf(seed []byte, n uint64) [sha256.Size]byte {
	var room [64]byte // enough for all but the names of messages
	return sha256.Sum256(binary.BigEndian.AppendUint64(append(room[:0], seed...), n))
}

// versioned is the id with its version and variant set.
func versioned(id uuid.UUID, version byte) string {
	id[6] = id[6]&0x0f | version<<4
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}
