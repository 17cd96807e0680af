package ui

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/perdure/perdure/e2e/harness"
)

// post makes a call of the HTTP mapping.
func post(t *testing.T, address, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s", address, resp.StatusCode, answer)
	}
}

// TestUIOfStandaloneActivities opens their list, a filtered one, and one activity
// with its input and result. They are started and completed over HTTP, without a
// worker.
func TestUIOfStandaloneActivities(t *testing.T) {
	server := harness.Start(t)
	api := server.Addresses["HTTP"] + "/api/v1/namespaces/default/activities/"
	for _, id := range []string{"invoice-1", "invoice-2"} {
		post(t, api+id, `{"activityType":{"name":"SendInvoice"},"taskQueue":{"name":"mail"},"startToCloseTimeout":"60s","input":["Harbour 7"]}`)
	}
	post(t, api+"invoice-1/complete", `{"result":["sent at noon"]}`)
	post(t, api+"invoice-2/pause", `{"reason":"the printer is out"}`)

	p := page{t: t, ctx: browser(t)}
	var seen calls
	if err := chromedp.Listen(p.ctx, seen.note); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(p.ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	list := server.Addresses["UI"] + "/namespaces/default/activities"
	p.open(list)
	p.shows("Standalone Activities", "invoice-1", "invoice-2", "SendInvoice", "Completed", "Paused")
	p.open(list + "?query=" + url.QueryEscape("`ExecutionStatus`=\"Completed\""))
	p.shows("invoice-1")
	p.hides("invoice-2")
	p.open(p.value(`document.querySelector("a[href*='/activities/invoice-1/']").href`))
	p.shows("invoice-1", "SendInvoice", "Harbour 7", "sent at noon", "mail")
	seen.check(t)
}
