package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/perdure/perdure/config"
	"github.com/perdure/perdure/frontend"
	"github.com/perdure/perdure/web"
)

// Address is one place the server listens at.
type Address struct {
	// Label is gRPC, HTTP, UI or Metrics.
	Label string
	// Value is host:port for gRPC, a URL for the others.
	Value string
}

// Addresses are where the server listens, for people and for clients.
func (s *Server) Addresses() []Address { return s.addresses }

// memoryBytes is the buffer of the in-memory connection, each way.
const memoryBytes = 1 << 20

// Target is what a client in this process dials, with DialOptions.
func (s *Server) Target() string { return "passthrough:///perdure" }

// DialOptions connect a client in this process without a port.
func (s *Server) DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return s.memory.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
	}
}

// TransportOptions are how the server's gRPC connections are kept and bounded,
// for a server that is to be compared with it.
func TransportOptions() []grpc.ServerOption { return frontend.TransportOptions() }

// startEdge starts the API on the in-memory connection.
func (s *Server) startEdge(context.Context) error {
	s.grpc = grpc.NewServer(s.front.ServerOptions()...)
	s.front.Register(s.grpc)
	s.memory = bufconn.Listen(memoryBytes)
	s.serveGRPC(s.memory)
	s.onStop("API", func(ctx context.Context) error {
		s.front.Drain()
		done := make(chan struct{})
		go func() { s.grpc.GracefulStop(); close(done) }()
		select {
		case <-done:
		case <-ctx.Done():
			s.grpc.Stop()
			<-done
		}
		return nil
	})
	return nil
}

func (s *Server) serveGRPC(l net.Listener) {
	go func() {
		if err := s.grpc.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			s.log.Error("the API listener has failed", "address", l.Addr(), "error", err)
		}
	}()
}

// startPorts opens what is to be reached from outside.
func (s *Server) startPorts(ctx context.Context) error {
	grpcAddress := ""
	if s.config.Port != config.Off {
		l, err := s.listen(ctx, "port", s.config.Port)
		if err != nil {
			return err
		}
		grpcAddress = l.Addr().String()
		s.addresses = append(s.addresses, Address{"gRPC", grpcAddress})
		s.serveGRPC(l)
	}
	if s.config.HTTPPort != config.Off {
		handler, err := s.front.HTTPHandler(frontend.HTTPOptions{})
		if err != nil {
			return fmt.Errorf("HTTP API: %w", err)
		}
		if err := s.serveHTTP(ctx, "HTTP", "http-port", s.config.HTTPPort, "", handler); err != nil {
			return err
		}
	}
	if !s.config.Headless && s.config.UIPort != config.Off && grpcAddress != "" {
		if err := s.startUI(ctx, grpcAddress); err != nil {
			return err
		}
	}
	if s.config.MetricsPort != config.Off {
		return s.serveHTTP(ctx, "Metrics", "metrics-port", s.config.MetricsPort, "/metrics", s.adminHandler())
	}
	return nil
}

func (s *Server) startUI(ctx context.Context, grpcAddress string) error {
	ui, err := web.Start(ctx, web.Options{IP: s.config.IP, Port: s.config.UIPort, Target: grpcAddress, Log: s.log})
	if err != nil {
		return fmt.Errorf("web UI (%s): %w", "--ui-port", err)
	}
	s.addresses = append(s.addresses, Address{"UI", ui.URL()})
	s.onStop("web UI", ui.Stop)
	return nil
}

// listen opens a port; a taken one is the commonest mistake of a first run.
func (s *Server) listen(ctx context.Context, flag string, port int) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(s.config.IP, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("cannot listen; another server may be running there (--%s chooses another port, 0 any free one): %w", flag, err)
	}
	return l, nil
}

// headerTime bounds how long a client may take to send the head of a request.
const headerTime = 10 * time.Second

func (s *Server) serveHTTP(ctx context.Context, label, flag string, port int, path string, handler http.Handler) error {
	l, err := s.listen(ctx, flag, port)
	if err != nil {
		return err
	}
	h := &http.Server{Handler: handler, ReadHeaderTimeout: headerTime}
	go func() {
		if err := h.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("a listener has failed", "what", label, "error", err)
		}
	}()
	s.addresses = append(s.addresses, Address{label, "http://" + l.Addr().String() + path})
	s.onStop(label+" port", func(ctx context.Context) error {
		if err := h.Shutdown(ctx); err != nil {
			return h.Close() // out of time: cut the rest off
		}
		return nil
	})
	return nil
}
