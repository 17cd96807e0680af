package frontend

import (
	"maps"
	"slices"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
)

// Limits of a completion callback (workflow.md 1.11).
const (
	maxCallbackURLBytes    = 1000
	maxCallbackHeaderBytes = 8192
)

// prepareCallbacks checks completion callbacks and brings the names of their
// headers into lower case. The request is ours alone, so it is changed in place.
func (f *Frontend) prepareCallbacks(callbacks []*commonpb.Callback) error {
	for _, cb := range callbacks {
		nexus := cb.GetNexus()
		if nexus == nil {
			// Internal ones are for servers to give one another; callbacks to Nexus
			// handlers need Nexus task queues, which are not built.
			return serviceerror.NewUnimplemented("unknown callback variant")
		}
		if err := f.checkCallbackURL(nexus.GetUrl()); err != nil {
			return err
		}
		if headerBytes(nexus.GetHeader()) > maxCallbackHeaderBytes {
			return invalidf("invalid header: header size longer than max allowed size of %d", maxCallbackHeaderBytes)
		}
		if err := checkLinks(cb.GetLinks(), f.limits); err != nil {
			return err
		}
		nexus.Header = lowered(nexus.GetHeader())
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

// lowered is a header with its names in lower case. Of several that differ in
// case alone the last in order stays.
func lowered(h map[string]string) map[string]string {
	if h == nil {
		return nil
	}
	low := make(map[string]string, len(h))
	for _, name := range slices.Sorted(maps.Keys(h)) {
		low[strings.ToLower(name)] = h[name]
	}
	return low
}

func (f *Frontend) checkCallbackURL(text string) error {
	if len(text) > maxCallbackURLBytes {
		return invalidf("invalid url: url length longer than max length allowed of %d", maxCallbackURLBytes)
	}
	if err := f.callbacks.Check(text); err != nil {
		return invalid(err.Error())
	}
	return nil
}
