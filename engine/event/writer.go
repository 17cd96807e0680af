package event

import (
	"bytes"

	"google.golang.org/protobuf/encoding/protowire"

	historypb "go.temporal.io/api/history/v1"
)

// Writer writes a record of events from its end to its beginning. The zero value
// is ready for use. It keeps its buffer for the next record, unless that is large.
type Writer struct{ coder }

// maxKept bounds the buffer that a writer keeps.
const maxKept = 64 << 10

// Event writes an event as a field before what is written. It returns the size
// with tag and length. An event that was sized has not been changed since.
func (w *Writer) Event(num protowire.Number, ev *historypb.HistoryEvent) int {
	end := w.n
	w.any(ev)
	w.close(num, end)
	return w.n - end
}

// Varint writes a number before what is written.
func (w *Writer) Varint(v uint64) { w.varint(v) }

// Bytes writes bytes before what is written.
func (w *Writer) Bytes(b ...byte) {
	w.take(len(b))
	copy(w.start(), b)
}

// Take gives what is written away, and begins anew. A large record is not copied.
func (w *Writer) Take() []byte {
	written := w.start()
	w.n = 0
	if len(w.b) > maxKept {
		w.b = nil
		return written
	}
	return bytes.Clone(written)
}
