package activity

import (
	"testing"

	commonpb "go.temporal.io/api/common/v1"
)

// Details are the same only when every byte is; then a heartbeat keeps those it
// finds, and its owner need not write them.
func TestSameDetails(t *testing.T) {
	details := func(data, encoding string) *commonpb.Payloads {
		return &commonpb.Payloads{Payloads: []*commonpb.Payload{{
			Data: []byte(data), Metadata: map[string][]byte{"encoding": []byte(encoding)},
		}}}
	}
	elsewhere := details("1", "json")
	elsewhere.Payloads[0].ExternalPayloads = []*commonpb.Payload_ExternalPayloadDetails{{SizeBytes: 7}}
	more := details("1", "json")
	more.Payloads = append(more.Payloads, more.Payloads[0])
	for _, c := range []struct {
		name string
		a, b *commonpb.Payloads
		same bool
	}{
		{"none and none", nil, nil, true},
		{"equal ones", details("1", "json"), details("1", "json"), true},
		{"none and empty ones", nil, &commonpb.Payloads{}, false},
		{"some and none", details("1", "json"), nil, false},
		{"other data", details("1", "json"), details("2", "json"), false},
		{"other metadata", details("1", "json"), details("1", "proto"), false},
		{"one more", details("1", "json"), more, false},
		{"kept elsewhere", elsewhere, elsewhere, false},
	} {
		if sameDetails(c.a, c.b) != c.same || sameDetails(c.b, c.a) != c.same {
			t.Errorf("%s: the same is %v", c.name, !c.same)
		}
	}
}
