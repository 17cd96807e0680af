package frontend

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/temporalproto"
	"google.golang.org/protobuf/proto"
)

// jsonFormat is the API's JSON in one of its variants (H-30, H-31): with or
// without the payload shorthand, indented or not.
type jsonFormat struct {
	shorthand bool
	pretty    bool
}

// The variants by the media type a caller accepts. The gateway picks one by it.
var jsonFormats = map[string]jsonFormat{
	"application/json":                             {shorthand: true},
	"application/json+pretty":                      {shorthand: true, pretty: true},
	"application/json+no-payload-shorthand":        {},
	"application/json+pretty+no-payload-shorthand": {pretty: true},
}

// mediaType is the key of a variant in jsonFormats.
func mediaType(pretty, shorthand bool) string {
	t := "application/json"
	if pretty {
		t += "+pretty"
	}
	if !shorthand {
		t += "+no-payload-shorthand"
	}
	return t
}

func (j jsonFormat) metadata() map[string]any {
	if !j.shorthand {
		return nil
	}
	return map[string]any{commonpb.EnablePayloadShorthandMetadataKey: true}
}

// ContentType implements runtime.Marshaler (H-33).
func (j jsonFormat) ContentType(any) string { return "application/json" }

// Marshal implements runtime.Marshaler.
func (j jsonFormat) Marshal(v any) ([]byte, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return json.Marshal(v)
	}
	o := temporalproto.CustomJSONMarshalOptions{Metadata: j.metadata()}
	if j.pretty {
		o.Indent = "  "
	}
	data, err := o.Marshal(m)
	if err != nil && j.shorthand {
		// A payload that is not what its encoding says has no short form. The
		// server never looks into payloads, so there may be such; they must not
		// hide the executions around them.
		o.Metadata = nil
		return o.Marshal(m)
	}
	return data, err
}

// Unmarshal implements runtime.Marshaler.
func (j jsonFormat) Unmarshal(data []byte, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return json.Unmarshal(data, v)
	}
	err := temporalproto.CustomJSONUnmarshalOptions{Metadata: j.metadata()}.Unmarshal(data, m)
	if err != nil {
		if text := err.Error(); decoderPlace.MatchString(text) {
			return errors.New(decoderPlace.ReplaceAllString(text, ""))
		}
	}
	return err
}

// decoderPlace is where in its own source the decoder of the API's module found a
// token unexpected. That is nothing to a caller, and names folders of the machine
// that the server was built on.
var decoderPlace = regexp.MustCompile(` \(in [^()]*\.go:\d+\)`)

// NewDecoder implements runtime.Marshaler. A body is one message; io.EOF tells
// that there is none.
func (j jsonFormat) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return fmt.Errorf("read the body: %w", err)
		}
		if len(bytes.TrimSpace(data)) == 0 {
			return io.EOF
		}
		return j.Unmarshal(data, v)
	})
}

// NewEncoder implements runtime.Marshaler.
func (j jsonFormat) NewEncoder(w io.Writer) runtime.Encoder {
	return runtime.EncoderFunc(func(v any) error {
		data, err := j.Marshal(v)
		if err == nil {
			_, err = w.Write(data)
		}
		return err
	})
}
