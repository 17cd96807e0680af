package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// process is the server under load: one we started, or a stranger of whom only
// the address is known.
type process struct {
	address string
	pid     int // 0 for a stranger
	cmd     *exec.Cmd
	folder  string // removed at its end; empty for none
	// began is when the process was started, and ready how long after that it
	// answered.
	began time.Time
	ready time.Duration
	// metrics is the URL of its metrics, once it has said so.
	metrics atomic.Pointer[string]
}

// usage is what a process has used up so far, as the kernel counts it.
type usage struct {
	cpu          time.Duration
	writtenBytes int64 // handed to the block layer
	memoryBytes  int64 // resident now
	peakBytes    int64
}

// reach starts a server, or takes the one that was named.
func reach(ctx context.Context, o Options) (*process, error) {
	if o.Address != "" {
		p := &process{address: o.Address}
		if o.metrics != "" {
			p.metrics.Store(&o.metrics)
		}
		return p, nil
	}
	return launch(ctx, o, o.serverArgs())
}

// serverArgs are those of a server that is started.
func (o Options) serverArgs() []string {
	return append([]string{"server", "--port", "0", "--http-port", "-1", "--metrics-port", "0", "--headless"}, o.ServerFlags...)
}

// reachNull starts a null server.
func reachNull(ctx context.Context, o Options) (*process, error) {
	return launch(ctx, o, []string{NullCommand})
}

// launch starts the binary on a folder of its own and waits until it has said
// where its gRPC port is.
func launch(ctx context.Context, o Options, args []string) (*process, error) {
	folder, err := os.MkdirTemp("", "perdure-bench-")
	if err != nil {
		return nil, err
	}
	p, err := launchOn(ctx, o, args, folder)
	if err != nil {
		_ = os.RemoveAll(folder)
		return nil, err
	}
	p.folder = folder
	return p, nil
}

// launchOn is launch on a folder that stays the caller's.
func launchOn(ctx context.Context, o Options, args []string, folder string) (*process, error) {
	binary := o.Binary
	if binary == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find the perdure binary: %w", err)
		}
		binary = self
	}
	cmd := exec.CommandContext(ctx, binary, append(args, "--data", folder)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	p := &process{cmd: cmd, pid: cmd.Process.Pid, began: began}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) == 2 && f[0] == "gRPC" {
			p.address, p.ready = f[1], time.Since(began)
			go func() { // keep the pipe empty
				for lines.Scan() {
					if f := strings.Fields(lines.Text()); len(f) == 2 && f[0] == "Metrics" {
						p.metrics.Store(&f[1])
					}
				}
			}()
			return p, nil
		}
	}
	p.stop()
	return nil, errors.New("the server ended before it was ready")
}

// kill ends the process without a warning. Its folder stays.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	p.cmd = nil
}

// end has the process stop cleanly. Its folder stays.
func (p *process) end() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait() // its exit status is not what is measured
	p.cmd = nil
}

func (p *process) stop() {
	if p.cmd != nil {
		p.end()
	}
	if p.folder != "" {
		_ = os.RemoveAll(p.folder)
	}
}

// usage reads the kernel's figures. They exist on Linux only; elsewhere, and
// for a stranger, all are zero.
func (p *process) usage() (usage, error) {
	if p.pid == 0 {
		return usage{}, nil
	}
	dir := fmt.Sprintf("/proc/%d/", p.pid)
	if _, err := os.Stat(dir); err != nil {
		if _, noProc := os.Stat("/proc/self"); noProc != nil {
			return usage{}, nil
		}
		return usage{}, fmt.Errorf("the server is gone: %w", err)
	}
	var u usage
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		return usage{}, err
	}
	// Fields 14 and 15 (user and system time, in hundredths of a second) count
	// from behind the command name, which is in parentheses.
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	fields := strings.Fields(string(rest))
	if len(fields) > 12 {
		user, _ := strconv.ParseInt(fields[11], 10, 64)
		system, _ := strconv.ParseInt(fields[12], 10, 64)
		u.cpu = time.Duration(user+system) * 10 * time.Millisecond
	}
	u.writtenBytes = figure(dir+"io", "write_bytes:")
	u.memoryBytes = 1024 * figure(dir+"status", "VmRSS:")
	u.peakBytes = 1024 * figure(dir+"status", "VmHWM:")
	return u, nil
}

// figure is the number behind a label in one of the kernel's files; 0 if absent.
func figure(file, label string) int64 {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == label {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n
		}
	}
	return 0
}
