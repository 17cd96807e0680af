// Package web serves the Temporal Web UI from the server's own process, on a
// port of its own.
//
// The pages, and the handlers that translate their calls to gRPC, come from the
// module of the UI itself (github.com/temporalio/ui-server). Its ready-made
// server opens its port itself and ends the process when it cannot; so we put its
// handlers on a listener of ours, which tells its address, fails with an error
// and stops cleanly. The UI is a client like any other: it reaches the server
// through its gRPC port and sees what clients see.
//
// The assets are embedded in that module, so the binary needs no files. They are
// 4 MB of it; the UI and what only it needs are 8 CPU-seconds of a cold build.
package web

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/temporalio/ui-server/v2/server/api"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/csrf"
	"github.com/temporalio/ui-server/v2/server/headers"
	"github.com/temporalio/ui-server/v2/server/route"
	"github.com/temporalio/ui-server/v2/ui"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Options of Start.
type Options struct {
	// IP to listen on. Defaults to 127.0.0.1.
	IP string
	// Port to listen on; 0 takes a free one.
	Port int
	// Target is the address of the gRPC API. Required.
	Target string
	// DefaultNamespace is shown first. Defaults to "default".
	DefaultNamespace string
	// Log gets what no caller is told. Defaults to slog.Default.
	Log *slog.Logger
}

func (o *Options) fill() {
	if o.IP == "" {
		o.IP = "127.0.0.1"
	}
	if o.DefaultNamespace == "" {
		o.DefaultNamespace = "default"
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
}

const (
	// headerTime bounds how long a client may take to send the head of a request.
	headerTime = 10 * time.Second
	// maxMessageBytes is the largest answer taken from the API: a page of history
	// may hold many events of the largest size.
	maxMessageBytes = 64 << 20
	// maxBody bounds what a browser may send: the API's own limit.
	maxBody = "4M"
)

// Server is a running web UI.
type Server struct {
	http *http.Server
	conn *grpc.ClientConn
	url  string
	done chan struct{} // closed when serving has ended

	closeConn sync.Once
}

// Start opens the port and serves. It returns when the port is open; the API need
// not answer yet.
func Start(ctx context.Context, o Options) (*Server, error) {
	o.fill()
	conn, err := grpc.NewClient(o.Target,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes)))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", o.Target, err)
	}
	handler, err := newHandler(o, conn)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(o.IP, strconv.Itoa(o.Port)))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen: %w", err), conn.Close())
	}
	s := &Server{
		http: &http.Server{Handler: handler, ReadHeaderTimeout: headerTime, ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug)},
		conn: conn,
		url:  "http://" + l.Addr().String(),
		done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			o.Log.Error("the web UI's listener has failed", "error", err)
		}
	}()
	return s, nil
}

// URL is where a browser finds the UI.
func (s *Server) URL() string { return s.url }

// Stop lets requests in progress finish, until ctx ends, and closes the port.
// Calling it again does nothing.
func (s *Server) Stop(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil { // out of time: cut the rest off
		err = s.http.Close()
	}
	<-s.done
	s.closeConn.Do(func() { err = errors.Join(err, s.conn.Close()) })
	return err
}

// newHandler puts the UI's parts together: its pages at the root, the calls they
// make under /api/v1.
func newHandler(o Options, conn *grpc.ClientConn) (http.Handler, error) {
	settings, err := uiconfig.NewConfigProviderWithRefresh(&uiconfig.Config{
		TemporalGRPCAddress: o.Target,
		DefaultNamespace:    o.DefaultNamespace,
		EnableUI:            true,
		DisableNewsFetch:    true, // a server on its own calls nobody
		HideLogs:            true,
		CORS:                uiconfig.CORS{CookieInsecure: true}, // served over plain HTTP
	})
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	assets, err := pages()
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.Use(middleware.Recover(), middleware.Gzip(), middleware.BodyLimit(maxBody), middleware.Secure())
	e.Use(csrf.EnsureTokenCookie(false), middleware.CSRFWithConfig(csrf.MiddlewareConfig(settings, false)))
	route.SetHealthRoute(e)
	setAPIRoutes(e, settings, conn)
	if err := route.SetUIRoutes(e, "", assets); err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	route.SetRenderRoute(e, "")
	return e, nil
}

func pages() (fs.FS, error) {
	all, err := ui.Assets()
	if err != nil {
		return nil, fmt.Errorf("assets: %w", err)
	}
	local, err := fs.Sub(all, "local")
	if err != nil {
		return nil, fmt.Errorf("assets: %w", err)
	}
	return local, nil
}

// setAPIRoutes is the module's own function of that name on a connection that we
// can close.
func setAPIRoutes(e *echo.Echo, settings *uiconfig.ConfigProviderWithRefresh, conn *grpc.ClientConn) {
	forward := []api.Middleware{headers.WithForwardHeaders([]string{"Authorization-Extras", "Caller-Type"})}
	calls := e.Group("/api/v1")
	calls.GET("/settings", api.GetSettings(settings))
	calls.GET(api.WorkflowRawHistoryUrl, api.WorkflowRawHistoryHandler(workflowservice.NewWorkflowServiceClient(conn)))
	methods := []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	calls.Match(methods, "/*", api.TemporalAPIHandler(settings, forward, conn))
}
