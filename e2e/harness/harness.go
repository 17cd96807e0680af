// Package harness starts the real perdure binary for tests, on a fresh folder,
// and kills and restarts it.
package harness

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Binary is the perdure executable under test: $PERDURE_BINARY, or one built
// from this module, once for the process.
var Binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("PERDURE_BINARY"); path != "" {
		return filepath.Abs(path)
	}
	dir, err := os.MkdirTemp("", "perdure-e2e-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "perdure")
	build := exec.Command("go", "build", "-o", path, "github.com/perdure/perdure/cmd/perdure")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// Server is one run of the binary after another on the same folder and port.
type Server struct {
	Folder string
	// Addresses by the label the server prints: gRPC, HTTP, UI, Metrics.
	Addresses map[string]string

	flags []string
	cmd   *exec.Cmd
	ended chan error
	log   *os.File
}

// Start runs a server on a fresh folder, with every port picked by the system,
// and waits until it says that it is ready. It ends with the test.
func Start(t testing.TB, flags ...string) *Server {
	t.Helper()
	s, err := Launch(t.TempDir(), flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			text, _ := os.ReadFile(s.log.Name())
			t.Logf("the server said:\n%s", tail(string(text), 4000))
		}
	})
	return s
}

// Launch is Start without a test: the caller calls Kill or Stop.
func Launch(folder string, flags ...string) (*Server, error) {
	s := &Server{Folder: folder, flags: flags}
	return s, s.Restart()
}

// Restart runs the binary again on the same folder, at the addresses it had.
func (s *Server) Restart() error {
	path, err := Binary()
	if err != nil {
		return err
	}
	args := []string{"server", "--data", filepath.Join(s.Folder, "data")}
	for label, flag := range map[string]string{"gRPC": "--port", "HTTP": "--http-port", "UI": "--ui-port", "Metrics": "--metrics-port"} {
		port := "0"
		if address, ok := s.Addresses[label]; ok {
			address = strings.TrimPrefix(address, "http://")
			address, _, _ = strings.Cut(address, "/")
			port = address[strings.LastIndex(address, ":")+1:]
		}
		args = append(args, flag, port)
	}
	if s.log == nil {
		if s.log, err = os.Create(filepath.Join(s.Folder, "server.log")); err != nil {
			return err
		}
	}
	cmd := exec.Command(path, append(args, s.flags...)...)
	cmd.Stderr = s.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd, s.ended = cmd, make(chan error, 1)
	ready := make(chan map[string]string, 1)
	go func() {
		addresses := map[string]string{}
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			fmt.Fprintln(s.log, lines.Text())
			if f := strings.Fields(lines.Text()); len(f) == 2 {
				addresses[f[0]] = f[1]
			}
			if strings.HasPrefix(lines.Text(), "Ready") {
				ready <- addresses
			}
		}
		s.ended <- cmd.Wait()
	}()
	select {
	case s.Addresses = <-ready:
		return nil
	case err := <-s.ended:
		s.ended <- err
		text, _ := os.ReadFile(s.log.Name())
		return fmt.Errorf("the server ended before it was ready: %v\n%s", err, tail(string(text), 4000))
	case <-time.After(time.Minute):
		s.Kill()
		return errors.New("the server was not ready within a minute")
	}
}

// GRPC is the address clients dial.
func (s *Server) GRPC() string { return s.Addresses["gRPC"] }

// Kill ends the process the way a power cut would, as far as a process can.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Stop asks the process to end and waits until it has.
func (s *Server) Stop() error { return s.end(syscall.SIGTERM) }

// PID of the running process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

func (s *Server) end(signal os.Signal) error {
	if s.cmd == nil {
		return nil
	}
	_ = s.cmd.Process.Signal(signal)
	err := <-s.ended
	s.cmd = nil
	return err
}

func tail(text string, n int) string { return text[max(0, len(text)-n):] }
