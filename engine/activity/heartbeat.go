package activity

import (
	"bytes"
	"maps"
	"time"

	commonpb "go.temporal.io/api/common/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/payload"
)

// Heard is what a worker is told in answer to a heartbeat (AT-121). Of an
// activity that stands alone at most one is set (AX-10).
type Heard struct {
	CancelRequested bool
	Paused          bool
	Reset           bool
}

// RecordHeartbeat records that the attempt is alive and how far it got. Absent
// details clear earlier ones (AT-120). Details beyond the size limit end the
// activity (AT-123); identity is that of who sent them. stamp is the token's, or
// ByID. The error is Gone.
func (s *State) RecordHeartbeat(env *engine.Env, stamp int64, details *commonpb.Payloads, identity string) (Step, Heard, error) {
	if err := s.running(stamp); err != nil {
		return Step{}, Heard{}, err
	}
	if payload.SizeAll(details) > env.Limits.BlobBytes {
		step := failing.end(s, s.tooLarge("Heartbeat details exceed size limit.", identity))
		return step, Heard{CancelRequested: true}, nil
	}
	step := heartbeating.move(s, func(next *State) {
		next.LastHeartbeatTime = env.Now
		if !sameDetails(s.HeartbeatDetails, details) {
			next.HeartbeatDetails = details
		}
		if next.HeartbeatIdentity = identity; identity == s.Identity {
			next.HeartbeatIdentity = ""
		}
	})
	return step, s.heard(), nil
}

// sameDetails compares two values of HeartbeatDetails byte by byte: for workers
// that report the same again and again, or nothing, it spares writing it.
func sameDetails(a, b *commonpb.Payloads) bool {
	if (a == nil) != (b == nil) || len(a.GetPayloads()) != len(b.GetPayloads()) {
		return false
	}
	for i, p := range a.GetPayloads() {
		q := b.Payloads[i]
		if !bytes.Equal(p.GetData(), q.GetData()) || !maps.EqualFunc(p.GetMetadata(), q.GetMetadata(), bytes.Equal) ||
			len(p.GetExternalPayloads())+len(q.GetExternalPayloads()) > 0 {
			return false
		}
	}
	return true
}

func (s *State) heard() Heard {
	if s.House.rules().exclusive {
		return Heard{
			CancelRequested: s.CancelRequested,
			Reset:           s.Resetting && !s.CancelRequested,
			Paused:          s.Paused && !s.Resetting && !s.CancelRequested,
		}
	}
	return Heard{CancelRequested: s.CancelRequested, Paused: s.Paused, Reset: s.Resetting}
}

// Loaded is the state as it must be taken when it is read from the store, whose
// owner opened it at the time given: reports made before that may be lost, so
// the heartbeat clock of a running attempt starts no earlier (DESIGN I1). It is
// not the time of the reading: an attempt read again and again would then never
// time out. s itself when nothing differs.
func (s *State) Loaded(opened time.Time) *State {
	if s.Status != StatusStarted || s.Heartbeat == 0 {
		return s
	}
	next := *s
	next.HeartbeatFloor = opened
	return &next
}
