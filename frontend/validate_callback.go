package frontend

import (
	"net/url"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
)

// Limits of a completion callback (workflow.md 1.11).
const (
	maxCallbackURLBytes    = 1000
	maxCallbackHeaderBytes = 8192
)

// checkCallbacks checks completion callbacks. Their delivery is not built yet,
// so even a sound one is refused: taking it and never calling it would be worse.
func checkCallbacks(callbacks []*commonpb.Callback) error {
	for _, cb := range callbacks {
		nexus := cb.GetNexus()
		if nexus == nil {
			return serviceerror.NewUnimplemented("unknown callback variant")
		}
		if err := checkCallbackURL(nexus.GetUrl()); err != nil {
			return err
		}
		if headerBytes(nexus.GetHeader()) > maxCallbackHeaderBytes {
			return invalidf("invalid header: header size longer than max allowed size of %d", maxCallbackHeaderBytes)
		}
	}
	if len(callbacks) > 0 {
		return serviceerror.NewUnimplemented("completion callbacks are not enabled on this server")
	}
	return nil
}

func headerBytes(h map[string]string) int {
	n := 0
	for k, v := range h {
		n += len(k) + len(v)
	}
	return n
}

func checkCallbackURL(text string) error {
	if len(text) > maxCallbackURLBytes {
		return invalidf("invalid url: url length longer than max length allowed of %d", maxCallbackURLBytes)
	}
	if text == "temporal://system" || text == "temporal://internal" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return invalidf("invalid url: %v", err)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return invalidf("invalid url: unknown scheme: %s", text)
	case u.Host == "":
		return invalid("invalid url: missing host")
	}
	// The list of allowed addresses is empty until callbacks can be configured.
	return invalidf("invalid url: url does not match any configured callback address: %s", text)
}
