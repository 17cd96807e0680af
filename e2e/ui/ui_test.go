// Package ui looks at the web UI with a browser: headless Chromium, the real
// binary, and the workflows that `perdure demo` leaves behind. It is a module of
// its own so that the server does not require what drives a browser.
package ui

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"image/png"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/perdure/perdure/e2e/harness"
)

// patience bounds the whole test; nothing in it waits for a time to pass.
const patience = 3 * time.Minute

// demo runs `perdure demo --keep` and returns the address of its UI once every
// order has ended.
func demo(t *testing.T) string {
	t.Helper()
	binary, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "demo", "--keep")
	cmd.Dir = t.TempDir()
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the demo's end: %v", err)
		}
	})
	played := make(chan string, 1)
	go func() {
		var address string
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if fields := strings.Fields(lines.Text()); len(fields) == 2 && fields[0] == "UI" {
				address = fields[1]
			}
			if strings.Contains(lines.Text(), "Every order ended") {
				played <- address
			}
		}
		close(played)
	}()
	select {
	case address, ok := <-played:
		if !ok || address == "" {
			t.Fatal("the demo ended without its last line, or named no UI")
		}
		return address
	case <-time.After(patience):
		t.Fatal("the demo did not come to its end")
	}
	return ""
}

// browser is a Chromium that speaks to nobody but the page.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := os.Getenv("CHROMIUM")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		t.Fatal("no Chromium here; install it (Debian: chromium) or name it in $CHROMIUM")
	}
	ctx, stop := chromedp.NewExecAllocator(t.Context(),
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 860),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("hide-scrollbars", true),
	)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, patience)
	t.Cleanup(stop)
	return ctx
}

// calls notes the answers of the API that say the server has failed.
type calls struct {
	mu     sync.Mutex
	failed []string
	seen   int
}

// notImplemented is an answer the UI knows how to live with: what it asks for is
// a feature the server does not claim.
const notImplemented = 501

func (c *calls) note(event any) {
	answer, ok := event.(*network.EventResponseReceived)
	if !ok || !strings.Contains(answer.Response.URL, "/api/v1/") {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen++
	if status := answer.Response.Status; status >= 400 && status != notImplemented {
		c.failed = append(c.failed, fmt.Sprintf("%d %s", status, answer.Response.URL))
	}
}

func (c *calls) check(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == 0 || len(c.failed) > 0 {
		t.Errorf("of %d calls failed: %s", c.seen, strings.Join(c.failed, "\n"))
	}
}

// page is what the tests do with a browser.
type page struct {
	t   *testing.T
	ctx context.Context
}

func (p page) open(address string) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, chromedp.Navigate(address)); err != nil {
		p.t.Fatalf("open %s: %v", address, err)
	}
}

// until waits until a condition on the page holds. It looks at each frame the
// browser draws: the UI has no event for "done".
func (p page) until(condition string) {
	p.t.Helper()
	script := fmt.Sprintf("new Promise(done => { const look = () => (%s) ? done(true) : requestAnimationFrame(look); look() })", condition)
	ctx, stop := context.WithTimeout(p.ctx, patience/4)
	defer stop()
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script, chromedp.EvalAwaitPromise)); err != nil {
		p.t.Fatalf("waiting until %s: %v\nthe page shows:\n%.3000s", condition, err, p.value("document.body.innerText"))
	}
}

// shows waits until the page's text has each of the words, in letters of any
// size: style sheets change them.
func (p page) shows(words ...string) {
	p.t.Helper()
	for _, word := range words {
		p.until(contains(word))
	}
}

func contains(word string) string {
	return fmt.Sprintf("document.body.innerText.toLowerCase().includes(%q)", strings.ToLower(word))
}

func (p page) hides(word string) {
	p.t.Helper()
	p.until("!" + contains(word))
}

func (p page) value(script string) string {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](script))
	if err != nil {
		p.t.Fatalf("%s: %v", script, err)
	}
	return value
}

// TestUI opens the list of workflows, a filtered one, and one history with its
// events and inputs. With PERDURE_SCREENSHOT=path it saves a picture of the list.
func TestUI(t *testing.T) {
	address := demo(t)
	p := page{t: t, ctx: browser(t)}
	var seen calls
	if err := chromedp.Listen(p.ctx, seen.note); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(p.ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	list := address + "/namespaces/default/workflows"
	p.open(list)
	p.shows("order-1", "order-2", "order-3", "order-4", "OrderWorkflow", "DeliveryWorkflow", "Completed", "Canceled")
	if path := os.Getenv("PERDURE_SCREENSHOT"); path != "" {
		p.picture(path)
	}
	p.open(list + "?query=" + url.QueryEscape("`ExecutionStatus`=\"Canceled\""))
	p.shows("order-4")
	p.hides("order-1")

	p.open(list)
	p.shows("order-2")
	order := p.value(`document.querySelector("a[href*='/workflows/order-2/']").href`)
	p.open(strings.TrimSuffix(strings.TrimSuffix(order, "/timeline"), "/history") + "/history")
	p.shows("order-2", "OrderWorkflow", "Harbour 7", "Workflow Execution Started", "Activity Task Completed", "Workflow Execution Completed")
	seen.check(t)
}

// picture saves the window.
func (p page) picture(path string) {
	p.t.Helper()
	picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := png.Decode(bytes.NewReader(picture)); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, picture, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
