package activity

import (
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine/retry"
)

// timeoutMessage is "activity StartToClose timeout" and so on.
func timeoutMessage(t enumspb.TimeoutType) string {
	return "activity " + retry.TimeoutName(t) + " timeout"
}

// Shrink is f itself when it takes at most maxBytes; else a server failure that
// says so, caused by what is left of f: message and source, cut to the limit
// (AT-84, AT-85).
func (h House) Shrink(f *failurepb.Failure, maxBytes int, nonRetryable bool) *failurepb.Failure {
	if proto.Size(f) <= maxBytes {
		return f
	}
	short := h.serverFailure("Failure exceeds size limit.", nonRetryable)
	short.Cause = &failurepb.Failure{Source: cutText(f.GetSource(), maxBytes/8)}
	// What frames the message takes well under 64 bytes.
	room := maxBytes - proto.Size(short) - 64
	short.Cause.Message = cutText(f.GetMessage(), max(0, room))
	return short
}

// cutText cuts at a rune, so that the text stays valid UTF-8.
func cutText(s string, maxBytes int) string {
	if len(s) <= maxBytes {
		return s
	}
	return strings.ToValidUTF8(s[:maxBytes], "")
}
