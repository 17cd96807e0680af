package frontend

import (
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/proto"
)

// setRaw makes an empty history carry stored bytes as they are. They are an
// encoding of the message's only field, so that as "unknown" fields they come
// out unchanged when the answer is encoded: the receiver sees ordinary events.
// In this process such a history looks empty; whoever must look inside (the
// HTTP gateway) encodes and decodes it first.
//
// Virtual events follow the stored ones. They go through the bytes too, because
// known fields are encoded before unknown ones.
func setRaw(h *historypb.History, stored []byte, virtual []*historypb.HistoryEvent) error {
	if len(virtual) > 0 {
		tail, err := proto.Marshal(&historypb.History{Events: virtual})
		if err != nil {
			return err
		}
		// A copy: the stored bytes are not ours to grow.
		stored = append(stored[:len(stored):len(stored)], tail...)
	}
	if len(stored) > 0 {
		h.ProtoReflect().SetUnknown(stored)
	}
	return nil
}
