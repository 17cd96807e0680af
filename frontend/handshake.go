package frontend

import (
	"sync/atomic"

	"go.temporal.io/api/serviceerror"
	"google.golang.org/grpc/metadata"
)

// ServerVersion is the version of the API's reference line whose behaviour we
// offer; SDKs, CLI and UI switch features on by it (U-1).
const ServerVersion = "1.32.0"

// serverVersion is ServerVersion, parsed.
var serverVersion, _ = parseVersion(ServerVersion)

// Names of the request headers we read.
const (
	headerClientName        = "client-name"
	headerClientVersion     = "client-version"
	headerSupportedVersions = "supported-server-versions"
	headerSupportedFeatures = "supported-features"
)

// supportedClients are the clients we know, with the versions we accept; also
// the answer of GetClusterInfo.
var supportedClients = map[string]string{
	"temporal-go":         "<2.0.0",
	"temporal-java":       "<2.0.0",
	"temporal-php":        "<2.0.0",
	"temporal-typescript": "<2.0.0",
	"temporal-cli":        "<2.0.0",
	"temporal-server":     "<2.0.0",
	"Nexus-go-sdk":        "<2.0.0",
	"temporal-ui":         "<3.0.0",
}

// clientRanges is supportedClients, parsed.
var clientRanges = func() map[string]versionRange {
	ranges := make(map[string]versionRange, len(supportedClients))
	for name, text := range supportedClients {
		ranges[name], _ = parseRange(text)
	}
	return ranges
}()

// header is the first value in headers or trailers, or empty.
func header(md metadata.MD, name string) string { return first(md.Get(name)) }

func first(values []string) string {
	if len(values) > 0 {
		return values[0]
	}
	return ""
}

// handshake checks that client and server suit each other (H-10 to H-12).
// Missing headers never fail a request.
func handshake(h *clientHeaders) error {
	if err := checkClient(h.name, h.version); err != nil {
		return err
	}
	return checkServerRange(h.supportedVersions)
}

func checkClient(name, text string) error {
	if name == "" || text == "" {
		return nil
	}
	accepted, known := clientRanges[name]
	if !known {
		return nil
	}
	v, ok := parseVersion(text)
	if !ok {
		return invalidf("Unable to parse client version: %s", text)
	}
	if !accepted.contains(v) {
		return serviceerror.NewClientVersionNotSupported(text, name, supportedClients[name])
	}
	return nil
}

// lastGoodRange is the range we fitted into last: all of a kind of client send
// the same one with every call.
var lastGoodRange atomic.Pointer[string]

func checkServerRange(text string) error {
	if text == "" {
		return nil
	}
	if last := lastGoodRange.Load(); last != nil && *last == text {
		return nil
	}
	accepted, ok := parseRange(text)
	if !ok {
		return invalidf("Unable to parse supported server versions: %s", text)
	}
	if !accepted.contains(serverVersion) {
		return serviceerror.NewServerVersionNotSupported(ServerVersion, text)
	}
	good := text // the parameter's own address would put it on the heap in every call
	lastGoodRange.Store(&good)
	return nil
}
