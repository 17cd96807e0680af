package memstore

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/perdure/perdure/store"
)

// A crash with Options.Tear goes through the bytes of a log, as with a driver
// that keeps one: what a shard had in flight is laid out as frames, the caller
// says what the crash leaves of them, and recovery reads that up to the first
// frame that is not whole.
//
// A frame is the length of its body (4 bytes), a checksum of it (4), and the
// body: for each operation the key, whether a value or an end follows, and that.

const frameHead = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// What an operation of a frame does.
const (
	opDelete = iota
	opPut
	opCut
)

// frame appends a batch to the log.
func frame(log []byte, ops []store.Op) []byte {
	at := len(log)
	log = append(log, make([]byte, frameHead)...)
	for _, op := range ops {
		log = appendBytes(log, []byte(encodeKey(op.Key)))
		switch {
		case op.Until != nil:
			log = appendBytes(append(log, opCut), op.Until)
		case op.Value != nil:
			log = appendBytes(append(log, opPut), op.Value)
		default:
			log = append(log, opDelete)
		}
	}
	body := log[at+frameHead:]
	binary.LittleEndian.PutUint32(log[at:], uint32(len(body))) //nolint:gosec // a batch has a few megabytes
	binary.LittleEndian.PutUint32(log[at+4:], crc32.Checksum(body, castagnoli))
	return log
}

func appendBytes(log, b []byte) []byte {
	return append(binary.AppendUvarint(log, uint64(len(b))), b...)
}

// replay returns the tree after the whole frames at the beginning of a log.
func replay(root *node, log []byte) *node {
	for len(log) >= frameHead {
		size, sum := int(binary.LittleEndian.Uint32(log)), binary.LittleEndian.Uint32(log[4:])
		if size == 0 || size > len(log)-frameHead {
			return root
		}
		body := log[frameHead : frameHead+size]
		if crc32.Checksum(body, castagnoli) != sum {
			return root
		}
		root = apply(root, unframe(body))
		log = log[frameHead+size:]
	}
	return root
}

// unframe reads the body of a whole frame.
func unframe(body []byte) (ops []store.Op) {
	next := func() []byte {
		n, used := binary.Uvarint(body)
		field := append([]byte{}, body[used:used+int(n)]...) //nolint:gosec // as above
		body = body[used+int(n):]                            //nolint:gosec // as above
		return field
	}
	for len(body) > 0 {
		op := store.Op{Key: decodeKey(string(next()))}
		kind := body[0]
		body = body[1:]
		switch kind {
		case opPut:
			op.Value = next()
		case opCut:
			op.Until = next()
		}
		ops = append(ops, op)
	}
	return ops
}
