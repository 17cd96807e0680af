package callbacks

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nexus-rpc/sdk-go/nexus"
	"go.temporal.io/api/temporalnexus"

	"github.com/perdure/perdure/engine"
)

// The headers of a completion request, as the Nexus protocol names them.
const (
	headerState     = "Nexus-Operation-State"
	headerStart     = "Nexus-Operation-Start-Time"
	headerClose     = "Nexus-Operation-Close-Time"
	headerLink      = "Nexus-Link"
	headerRequestID = "Nexus-Request-Id"
	headerRetryable = "Nexus-Request-Retryable"
)

// closeTimeFormat is RFC 3339 with milliseconds, as the protocol asks for the
// close time. (The start time is an HTTP date, in whole seconds.)
const closeTimeFormat = "2006-01-02T15:04:05.000Z07:00"

// request is the completion request of a delivery. The headers that came with
// the callback, the token among them, go along; ours stand over them.
func request(ctx context.Context, d *engine.Delivery, c content, timeout time.Duration) (*http.Request, error) {
	target := d.Callback.GetNexus()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.GetUrl(), bytes.NewReader(c.body))
	if err != nil {
		return nil, err
	}
	for name, value := range target.GetHeader() {
		if !headerName(name) || !headerValue(value) {
			return nil, fmt.Errorf("header %q cannot be sent", name)
		}
		if !reserved(name) {
			req.Header.Set(name, value)
		}
	}
	req.Header.Set("User-Agent", "perdure")
	req.Header.Set(headerState, string(c.state))
	req.Header.Set(headerRequestID, d.RequestID)
	req.Header.Set(nexus.HeaderRequestTimeout, strconv.FormatInt(timeout.Milliseconds(), 10)+"ms")
	req.Header.Set(headerClose, d.CloseTime.UTC().Format(closeTimeFormat))
	if !d.StartTime.IsZero() {
		req.Header.Set(headerStart, d.StartTime.UTC().Format(http.TimeFormat))
	}
	if link, ok := temporalnexus.CommonLinkToNexusLink(d.Link); ok {
		req.Header.Set(headerLink, fmt.Sprintf("<%s>; type=%q", link.GetUrl(), link.GetType()))
	}
	if c.typ != "" {
		req.Header.Set("Content-Type", c.typ)
	}
	return req, nil
}

// reserved headers belong to the connection or to the body, which are ours.
func reserved(name string) bool {
	switch name = strings.ToLower(name); name {
	case "host", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade", "expect":
		return true
	}
	return strings.HasPrefix(name, "content-")
}

// headerName reports whether HTTP allows the name of a header.
func headerName(s string) bool {
	for i := range len(s) {
		c := s[i]
		alphanumeric := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !alphanumeric && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

func headerValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
