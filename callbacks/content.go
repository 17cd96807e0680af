package callbacks

import (
	"encoding/json"
	"fmt"

	"github.com/nexus-rpc/sdk-go/nexus"
	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
)

// content is the body of a request and what it is; Type is empty for an empty
// body.
type content struct {
	state nexus.OperationState
	typ   string
	body  []byte
}

// contentOf is a completion as a receiver reads it.
func contentOf(c *engine.Completion) (content, error) {
	if c.Failure == nil {
		typ, body, err := payloadContent(c.Result)
		return content{nexus.OperationStateSucceeded, typ, body}, err
	}
	state := nexus.OperationStateFailed
	if c.Canceled {
		state = nexus.OperationStateCanceled
	}
	f, err := nexusFailure(c.Failure)
	if err != nil {
		return content{}, err
	}
	body, err := json.Marshal(f)
	return content{state, "application/json", body}, err
}

// payloadContent is a payload as HTTP content (spec/schedule-batch-nexus.md 3.3).
// What the common content types cannot say is sent as the payload's own message.
func payloadContent(p *commonpb.Payload) (typ string, body []byte, err error) {
	if p == nil {
		return "", nil, nil
	}
	meta := p.GetMetadata()
	messageType := string(meta["messageType"])
	plain := len(meta) == 1
	typed := len(meta) == 2 && messageType != ""
	switch encoding := string(meta["encoding"]); {
	case len(p.GetExternalPayloads()) > 0: // its content is elsewhere
	case encoding == "binary/null" && plain && len(p.GetData()) == 0:
		return "", nil, nil
	case encoding == "json/plain" && plain:
		return "application/json", p.GetData(), nil
	case encoding == "binary/plain" && plain:
		return "application/octet-stream", p.GetData(), nil
	case encoding == "json/protobuf" && typed:
		return fmt.Sprintf("application/json; format=protobuf; message-type=%q", messageType), p.GetData(), nil
	case encoding == "binary/protobuf" && typed:
		return fmt.Sprintf("application/x-protobuf; message-type=%q", messageType), p.GetData(), nil
	}
	body, err = proto.MarshalOptions{Deterministic: true}.Marshal(p) // each try sends the same bytes
	return "application/x-temporal-payload", body, err
}

// failureType marks a Nexus failure whose details are a failure of the API, for
// receivers that know it to read it back whole (3.7).
var failureType = string((&failurepb.Failure{}).ProtoReflect().Descriptor().FullName())

// nexusFailure is a failure of the API in the form of the Nexus protocol:
// message and stack trace outside, for receivers that know no more.
func nexusFailure(f *failurepb.Failure) (*nexus.Failure, error) {
	own := proto.CloneOf(f)
	own.Message, own.StackTrace = "", ""
	details, err := protojson.Marshal(own)
	if err != nil {
		return nil, err
	}
	return &nexus.Failure{
		Message:    f.GetMessage(),
		StackTrace: f.GetStackTrace(),
		Metadata:   map[string]string{"type": failureType},
		Details:    details,
	}, nil
}
