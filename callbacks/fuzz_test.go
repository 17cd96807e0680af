package callbacks

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/perdure/perdure/engine/callback"
)

// Whatever a receiver answers is a report that can be kept.
func FuzzResponse(f *testing.F) {
	f.Add(200, "application/json", "", []byte(`{}`))
	f.Add(500, "application/json; charset=x", "true", []byte(`{"metadata":{"type":"nexus.HandlerError"},"details":{"type":"INTERNAL"}}`))
	f.Add(404, "a/b;c", "no", []byte("\xff"))
	f.Fuzz(func(t *testing.T, status int, contentType, retryable string, body []byte) {
		a := answerOf(&http.Response{
			StatusCode: status, Status: strconv.Itoa(status), Body: io.NopCloser(bytes.NewReader(body)),
			Header: http.Header{"Content-Type": {contentType}, headerRetryable: {retryable}},
		})
		accepted := status >= 200 && status < 300
		if accepted != (a.Verdict == callback.Accepted) || accepted != (a.Failure == nil) {
			t.Errorf("status %d: %+v", status, a)
		}
		if m := a.Failure.GetMessage(); len(m) > maxMessageBytes || !utf8.ValidString(m) || !utf8.ValidString(a.Failure.GetNexusHandlerFailureInfo().GetType()) {
			t.Errorf("kept: %q", m)
		}
	})
}

// A URL that is let through leads where the list says, as the client that makes
// the request reads it.
func FuzzAddress(f *testing.F) {
	for _, text := range []string{"https://hooks.example.com/a", "http://hooks.example.com:80@evil.org", "https://HOOKS.example.com:443",
		"https://hooks.example.com\\@evil.org", "temporal://system", "https://[::1]:443/"} {
		f.Add(text)
	}
	allowed, err := ParseAddresses([]string{"hooks.example.com"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if allowed.Check(text) != nil || inside(text) {
			return
		}
		req, err := http.NewRequest(http.MethodPost, text, nil)
		if err != nil {
			return // then it is not called
		}
		if host := strings.ToLower(req.URL.Hostname()); host != "hooks.example.com" || req.URL.Scheme != "https" || port(req.URL) != "443" {
			t.Errorf("%q leads to %s", text, req.URL)
		}
	})
}

func port(u *url.URL) string {
	if u.Port() == "" {
		return "443"
	}
	return u.Port()
}
