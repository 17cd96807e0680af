package callbacks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/nexus-rpc/sdk-go/nexus"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"

	"github.com/perdure/perdure/engine/callback"
)

// maxResponseBytes bounds what is read of an answer, maxMessageBytes what is
// kept of its text.
const (
	maxResponseBytes = 64 << 10
	maxMessageBytes  = 1024
)

// errorTypes are the predefined handler errors of the Nexus protocol.
var errorTypes = map[int]nexus.HandlerErrorType{
	http.StatusBadRequest:          nexus.HandlerErrorTypeBadRequest,
	http.StatusUnauthorized:        nexus.HandlerErrorTypeUnauthenticated,
	http.StatusForbidden:           nexus.HandlerErrorTypeUnauthorized,
	http.StatusNotFound:            nexus.HandlerErrorTypeNotFound,
	http.StatusRequestTimeout:      nexus.HandlerErrorTypeRequestTimeout,
	http.StatusConflict:            nexus.HandlerErrorTypeConflict,
	http.StatusTooManyRequests:     nexus.HandlerErrorTypeResourceExhausted,
	http.StatusInternalServerError: nexus.HandlerErrorTypeInternal,
	http.StatusNotImplemented:      nexus.HandlerErrorTypeNotImplemented,
	http.StatusServiceUnavailable:  nexus.HandlerErrorTypeUnavailable,
	nexus.StatusUpstreamTimeout:    nexus.HandlerErrorTypeUpstreamTimeout,
}

// answerOf reads the response to a completion request.
func answerOf(resp *http.Response) callback.Answer {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxResponseBytes)) // what there is of it
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return callback.Answer{Verdict: callback.Accepted}
	}
	return rejected(handlerError(resp, body))
}

// handlerError is what the response says went wrong: the failure in its body if
// it is a handler error, else the status.
func handlerError(resp *http.Response, body []byte) *nexus.HandlerError {
	e := &nexus.HandlerError{Type: typeOf(resp.StatusCode), Message: resp.Status}
	var f nexus.Failure
	if media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); media == "application/json" && json.Unmarshal(body, &f) == nil {
		if f.Message != "" {
			e.Message = f.Message
		}
		if f.Metadata["type"] == "nexus.HandlerError" {
			readDetails(e, f.Details)
		}
	}
	switch strings.ToLower(resp.Header.Get(headerRetryable)) {
	case "true":
		e.RetryBehavior = nexus.HandlerErrorRetryBehaviorRetryable
	case "false":
		e.RetryBehavior = nexus.HandlerErrorRetryBehaviorNonRetryable
	}
	return e
}

// readDetails takes the type and the override of the retry behaviour from the
// details of a handler error, which count more than the status.
func readDetails(e *nexus.HandlerError, details json.RawMessage) {
	var d struct {
		Type              nexus.HandlerErrorType `json:"type"`
		RetryableOverride *bool                  `json:"retryableOverride"`
	}
	if json.Unmarshal(details, &d) != nil {
		return
	}
	if d.Type != "" {
		e.Type = d.Type
	}
	switch retryable := d.RetryableOverride; {
	case retryable == nil:
	case *retryable:
		e.RetryBehavior = nexus.HandlerErrorRetryBehaviorRetryable
	default:
		e.RetryBehavior = nexus.HandlerErrorRetryBehaviorNonRetryable
	}
}

// typeOf is the error type of a status. Statuses the protocol does not know are
// the caller's fault or the receiver's, as HTTP has it. A redirect counts as the
// receiver's: it is not followed, and may be put right.
func typeOf(status int) nexus.HandlerErrorType {
	if t, ok := errorTypes[status]; ok {
		return t
	}
	if status >= 400 && status < 500 {
		return nexus.HandlerErrorTypeBadRequest
	}
	return nexus.HandlerErrorTypeInternal
}

// rejected reports a handler error.
func rejected(e *nexus.HandlerError) callback.Answer {
	behaviour := enumspb.NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_UNSPECIFIED
	switch e.RetryBehavior {
	case nexus.HandlerErrorRetryBehaviorRetryable:
		behaviour = enumspb.NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_RETRYABLE
	case nexus.HandlerErrorRetryBehaviorNonRetryable:
		behaviour = enumspb.NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_NON_RETRYABLE
	}
	a := callback.Answer{Verdict: callback.Failed, Failure: &failurepb.Failure{
		Message: bounded(fmt.Sprintf("handler error (%s): %s", e.Type, e.Message)),
		FailureInfo: &failurepb.Failure_NexusHandlerFailureInfo{NexusHandlerFailureInfo: &failurepb.NexusHandlerFailureInfo{
			Type: bounded(string(e.Type)), RetryBehavior: behaviour,
		}},
	}}
	if !e.Retryable() {
		a.Verdict = callback.Refused
	}
	return a
}

// unreachable reports a request that got no response.
func unreachable(err error) callback.Answer {
	var wrapped *url.Error // its text repeats the URL, which may hold a secret
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	text := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		text = "request timed out"
	}
	return callback.Answer{Verdict: callback.Failed, Failure: &failurepb.Failure{
		Message: bounded(text),
		FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{
			Type: "CallError",
		}},
	}}
}

// bounded cuts a text, and makes it valid for a message.
func bounded(s string) string {
	if len(s) > maxMessageBytes {
		s = s[:maxMessageBytes]
	}
	return strings.ToValidUTF8(s, "")
}
