package frontend

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/temporalproto/openapi"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// HTTPOptions of the JSON mapping.
type HTTPOptions struct {
	// AllowedHosts are the values of the Host header that are served, without
	// port. Set it when a browser on another site might reach the port. Defaults
	// to every host.
	AllowedHosts []string
	// ForwardedHeaders are further request headers handed on to the API; a
	// trailing * matches any ending. Defaults to none.
	ForwardedHeaders []string
}

// HTTPHandler serves the API as JSON over HTTP (service.md 1.6).
func (f *Frontend) HTTPHandler(o HTTPOptions) (http.Handler, error) {
	options := []runtime.ServeMuxOption{
		runtime.WithIncomingHeaderMatcher(o.forwards),
		runtime.WithOutgoingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithErrorHandler(writeError),
		runtime.WithRoutingErrorHandler(routingError),
		runtime.WithMarshalerOption(runtime.MIMEWildcard, jsonFormat{shorthand: true}),
		runtime.WithUnescapingMode(runtime.UnescapingModeAllExceptReserved),
	}
	for media, format := range jsonFormats {
		options = append(options, runtime.WithMarshalerOption(media, format))
	}
	mux := runtime.NewServeMux(options...)
	conn := newInproc(f)
	ctx := context.Background()
	if err := workflowservice.RegisterWorkflowServiceHandlerClient(ctx, mux, workflowservice.NewWorkflowServiceClient(conn)); err != nil {
		return nil, fmt.Errorf("bind the workflow service to HTTP: %w", err)
	}
	if err := operatorservice.RegisterOperatorServiceHandlerClient(ctx, mux, operatorservice.NewOperatorServiceClient(conn)); err != nil {
		return nil, fmt.Errorf("bind the operator service to HTTP: %w", err)
	}
	return &gateway{options: o, api: mux}, nil
}

// gateway does what comes before the API: hosts, variants of JSON, documents.
type gateway struct {
	options HTTPOptions
	api     http.Handler
}

// ServeHTTP implements http.Handler.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case !g.options.allows(r.Host):
		writeStatus(w, r, status.New(codes.PermissionDenied, "Host not allowed"), http.StatusForbidden)
	case r.URL.Path == "/swagger.json":
		serveDocument(w, r, "application/json", openapi.OpenAPIV2JSONSpec)
	case r.URL.Path == "/openapi.yaml":
		serveDocument(w, r, "application/yaml", openapi.OpenAPIV3YAMLSpec)
	case r.ContentLength > MaxReceiveBytes:
		writeStatus(w, r, tooLarge, http.StatusRequestEntityTooLarge)
	default:
		r.Body = http.MaxBytesReader(w, r.Body, MaxReceiveBytes)
		g.api.ServeHTTP(w, chooseFormat(r))
	}
}

func (o HTTPOptions) allows(hostPort string) bool {
	if len(o.AllowedHosts) == 0 {
		return true
	}
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		host = hostPort
	}
	return slices.ContainsFunc(o.AllowedHosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// Request headers that always reach the API (H-34).
var forwardedHeaders = []string{
	"Authorization", "Authorization-Extras", "X-Forwarded-For",
	"Client-Name", "Client-Version", "Caller-Type", "Caller-Name", "Temporal-Namespace",
}

// forwards says under which name a request header reaches the API.
func (o HTTPOptions) forwards(name string) (string, bool) {
	canonical := textproto.CanonicalMIMEHeaderKey(name)
	if slices.Contains(forwardedHeaders, canonical) {
		return strings.ToLower(canonical), true
	}
	for _, pattern := range o.ForwardedHeaders {
		prefix, open := strings.CutSuffix(pattern, "*")
		same := strings.EqualFold(pattern, name)
		if same || (open && len(name) >= len(prefix) && strings.EqualFold(prefix, name[:len(prefix)])) {
			return strings.ToLower(name), true
		}
	}
	return "", false
}

// defaultClientName is what callers over HTTP are called that do not say.
const defaultClientName = "temporal-server-http"

// chooseFormat finds out which variant of JSON is wanted and says so in the two
// headers by which the gateway picks it; input and output share one.
func chooseFormat(r *http.Request) *http.Request {
	r = r.Clone(r.Context())
	accept := r.Header.Get("Accept")
	query := r.URL.Query()
	pretty := query.Has("pretty") || strings.Contains(accept, "+pretty")
	shorthand := !query.Has("noPayloadShorthand") && !strings.Contains(accept, "+no-payload-shorthand")
	query.Del("pretty")
	query.Del("noPayloadShorthand")
	r.URL.RawQuery = query.Encode()
	media := mediaType(pretty, shorthand)
	r.Header.Set("Accept", media)
	r.Header.Set("Content-Type", media)
	if r.Header.Get("Client-Name") == "" {
		r.Header.Set("Client-Name", defaultClientName)
		r.Header.Set("Client-Version", ServerVersion)
	}
	return r
}

// tooLarge answers a body that is larger than what we take.
var tooLarge = status.Newf(codes.ResourceExhausted, "the request body is larger than %d bytes", MaxReceiveBytes)

// writeError answers with the error's status as JSON (H-32).
func writeError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	st := status.Convert(err)
	if strings.Contains(st.Message(), (&http.MaxBytesError{}).Error()) { // the gateway keeps no more than its text
		writeStatus(w, r, tooLarge, http.StatusRequestEntityTooLarge)
		return
	}
	writeStatus(w, r, st, runtime.HTTPStatusFromCode(st.Code()))
}

// routingError answers paths and methods that the API does not have.
func routingError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, httpStatus int) {
	switch httpStatus {
	case http.StatusMethodNotAllowed:
		writeStatus(w, r, status.New(codes.Unimplemented, "Method Not Allowed"), http.StatusNotImplemented)
	case http.StatusNotFound:
		writeStatus(w, r, status.New(codes.NotFound, "Not Found"), http.StatusNotFound)
	default:
		writeStatus(w, r, status.New(codes.InvalidArgument, http.StatusText(httpStatus)), http.StatusBadRequest)
	}
}

func writeStatus(w http.ResponseWriter, r *http.Request, st *status.Status, code int) {
	format, ok := jsonFormats[r.Header.Get("Accept")]
	if !ok {
		format = jsonFormat{shorthand: true}
	}
	body, err := format.Marshal(st.Proto())
	if err != nil { // a detail of a type we do not know
		p := st.Proto()
		p.Details = nil
		body, _ = format.Marshal(p)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(body)
}

// serveDocument sends a compressed document, compressed if the caller takes it.
func serveDocument(w http.ResponseWriter, r *http.Request, contentType string, compressed []byte) {
	w.Header().Set("Content-Type", contentType)
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(compressed)
		return
	}
	plain, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	_, _ = io.Copy(w, plain)
}
