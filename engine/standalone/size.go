package standalone

import (
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine/activity"
)

// fixedBytes is about what a run takes besides what users put into it.
const fixedBytes = 400

// size is about what the part takes; payloads count in full.
func (s *Start) size() int64 {
	n := fixedBytes + proto.Size(s.Input) + proto.Size(s.Header) + proto.Size(s.UserMetadata) + proto.Size(s.SearchAttributes)
	for _, l := range s.Links {
		n += proto.Size(l)
	}
	return int64(n)
}

func stateSize(s *activity.State) int64 {
	return int64(proto.Size(s.HeartbeatDetails) + proto.Size(s.LastFailure) + len(s.Pause.Reason))
}
