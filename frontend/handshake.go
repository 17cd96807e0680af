package frontend

import (
	"context"

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

// header is the first value of a request header, or empty.
func header(md metadata.MD, name string) string {
	if v := md.Get(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// handshake checks that client and server suit each other (H-10 to H-12).
// Missing headers never fail a request.
func handshake(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	if err := checkClient(header(md, headerClientName), header(md, headerClientVersion)); err != nil {
		return err
	}
	return checkServerRange(header(md, headerSupportedVersions))
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

func checkServerRange(text string) error {
	if text == "" {
		return nil
	}
	accepted, ok := parseRange(text)
	if !ok {
		return invalidf("Unable to parse supported server versions: %s", text)
	}
	if !accepted.contains(serverVersion) {
		return serviceerror.NewServerVersionNotSupported(ServerVersion, text)
	}
	return nil
}
