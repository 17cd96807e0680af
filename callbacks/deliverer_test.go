package callbacks

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/internal/clock"
)

// bench is a Deliverer that may call any address, under a clock that stands.
type bench struct {
	*Deliverer
	t     *testing.T
	clock *clock.Fake
}

func newBench(t *testing.T, o Options) *bench {
	t.Helper()
	b := &bench{t: t, clock: clock.NewFake(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
	var err error
	if o.Addresses, err = ParseAddresses([]string{"http://*:*"}); err != nil {
		t.Fatal(err)
	}
	o.Clock = b.clock
	b.Deliverer = New(o)
	t.Cleanup(func() {
		if err := b.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

// deliver makes a try whose report comes on the channel.
func (b *bench) deliver(url string) <-chan callback.Answer {
	d := delivery(url, map[string]string{"token": "t"})
	d.Until = b.clock.Now().Add(2 * d.Timeout)
	return b.deliverAs(d)
}

func (b *bench) deliverAs(d *engine.Delivery) <-chan callback.Answer {
	report := make(chan callback.Answer, 1)
	b.Deliver(d, func(a callback.Answer) { report <- a })
	return report
}

// reading is the value of a counter or gauge.
func reading(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var v dto.Metric
	if err := m.Write(&v); err != nil {
		t.Fatal(err)
	}
	return v.GetCounter().GetValue() + v.GetGauge().GetValue()
}

// receiver is an HTTP server for one test.
func receiver(t *testing.T, handle http.HandlerFunc) string {
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return s.URL
}

func TestACompletionIsDelivered(t *testing.T) {
	got := make(chan string, 1)
	url := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r.Method + " " + r.URL.Path + " " + r.Header.Get("Token") + " " + r.Header.Get(headerState) + " " + string(body)
	})
	registry := prometheus.NewRegistry()
	b := newBench(t, Options{Metrics: registry})
	if a := <-b.deliver(url + "/cb"); a.Verdict != callback.Accepted {
		t.Fatalf("got %+v", a)
	}
	if text := <-got; text != `POST /cb t succeeded "done"` {
		t.Errorf("the receiver was told %q", text)
	}
	if n := reading(t, b.metrics.deliveries.WithLabelValues("accepted")); n != 1 {
		t.Errorf("%v deliveries counted", n)
	}
}

func TestWhatIsNotCalled(t *testing.T) {
	b := newBench(t, Options{})
	if a := <-b.deliver("temporal://system"); a.Verdict != callback.Refused || a.Failure.GetNexusHandlerFailureInfo().GetType() != "NOT_FOUND" {
		t.Errorf("an operation that is not there: %+v", a)
	}
	if a := <-b.deliver("ftp://example.com"); a.Verdict != callback.Blocked || !strings.Contains(a.Reason, "unknown scheme") {
		t.Errorf("an address that is not allowed: %+v", a)
	}
	d := delivery("http://127.0.0.1:1", map[string]string{"a b": "c"})
	d.Until = b.clock.Now().Add(time.Minute)
	if a := <-b.deliverAs(d); a.Verdict != callback.Refused {
		t.Errorf("a header that cannot be sent: %+v", a)
	}
	late := delivery("http://127.0.0.1:1", nil)
	late.Until = b.clock.Now()
	if a := <-b.deliverAs(late); a.Verdict != callback.Blocked || a.Reason != tooMany {
		t.Errorf("a try whose time is over: %+v", a)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	var followed atomic.Bool
	elsewhere := receiver(t, func(http.ResponseWriter, *http.Request) { followed.Store(true) })
	url := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
	})
	b := newBench(t, Options{})
	if a := <-b.deliver(url); a.Verdict != callback.Failed || followed.Load() {
		t.Errorf("got %+v, followed: %v", a, followed.Load())
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	b := newBench(t, Options{})
	a := <-b.deliver("http://" + l.Addr().String() + "/secret")
	if a.Verdict != callback.Failed || a.Failure.GetApplicationFailureInfo().GetType() != "CallError" ||
		strings.Contains(a.Failure.Message, "secret") {
		t.Errorf("got %+v", a)
	}
}

func TestAReceiverThatHangsIsGivenUp(t *testing.T) {
	release := make(chan struct{})
	url := receiver(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) }) // before the server is closed
	b := newBench(t, Options{})
	d := delivery(url, nil)
	d.Timeout = leastTime
	d.Until = b.clock.Now().Add(time.Minute)
	if a := <-b.deliverAs(d); a.Verdict != callback.Failed || a.Failure.Message != "request timed out" {
		t.Errorf("got %+v", a)
	}
}

// A destination that does not answer keeps its own waiting, and nobody else.
func TestOneSlowReceiverIsNotEverybodys(t *testing.T) {
	release, arrived := make(chan struct{}), make(chan struct{}, 10)
	slow := receiver(t, func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	})
	quick := receiver(t, func(http.ResponseWriter, *http.Request) {})
	b := newBench(t, Options{MaxPerDestination: 2})
	var slowOnes []<-chan callback.Answer
	for range 5 {
		slowOnes = append(slowOnes, b.deliver(slow))
	}
	<-arrived
	<-arrived
	for range 5 {
		if a := <-b.deliver(quick); a.Verdict != callback.Accepted {
			t.Fatalf("the quick one: %+v", a)
		}
	}
	if n := reading(t, b.metrics.waiting); n != 3 {
		t.Errorf("%v wait, want 3", n)
	}
	close(release)
	for _, report := range slowOnes {
		if a := <-report; a.Verdict != callback.Accepted {
			t.Errorf("a slow one: %+v", a)
		}
	}
}

func TestWhatWaitsIsBounded(t *testing.T) {
	release, arrived := make(chan struct{}), make(chan struct{}, 10)
	url := receiver(t, func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	})
	for name, o := range map[string]Options{
		"number": {MaxInFlight: 1, MaxWaiting: 1},
		"bytes":  {MaxInFlight: 1, MaxWaitingBytes: 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, o)
			first := b.deliver(url)
			<-arrived
			second := b.deliver(url)
			if a := <-b.deliver(url); a.Verdict != callback.Blocked || a.Reason != tooMany {
				t.Errorf("the third: %+v", a)
			}
			release <- struct{}{}
			release <- struct{}{}
			<-arrived
			if a, c := <-first, <-second; a.Verdict != callback.Accepted || c.Verdict != callback.Accepted {
				t.Errorf("the others: %+v %+v", a, c)
			}
		})
	}
}

// A destination that fails time after time is left alone for a minute, then
// tried with one request (N-44).
func TestADestinationThatKeepsFailingIsLeftAlone(t *testing.T) {
	var well atomic.Bool
	var calls atomic.Int32
	url := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		if !well.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	b := newBench(t, Options{})
	for range maxFailures + 1 {
		if a := <-b.deliver(url); a.Verdict != callback.Failed {
			t.Fatalf("got %+v", a)
		}
	}
	blocked := func(wait time.Duration) {
		t.Helper()
		before := calls.Load()
		if a := <-b.deliver(url); a.Verdict != callback.Blocked || a.Reason != breakerReason || a.Wait != wait {
			t.Errorf("got %+v, want blocked for %v", a, wait)
		}
		if calls.Load() != before {
			t.Error("it was called")
		}
	}
	blocked(breakerOpen)
	b.clock.Advance(breakerOpen - time.Second)
	blocked(time.Second)
	b.clock.Advance(time.Second)
	if a := <-b.deliver(url); a.Verdict != callback.Failed { // the probe
		t.Fatalf("got %+v", a)
	}
	blocked(breakerOpen)
	b.clock.Advance(breakerOpen)
	well.Store(true)
	for range 3 {
		if a := <-b.deliver(url); a.Verdict != callback.Accepted {
			t.Fatalf("got %+v", a)
		}
	}
}

// When a destination is given up, those that wait for it hear so at once; and
// what a receiver refuses for good says nothing against it.
func TestThoseWhoWaitForABrokenDestinationAreSentAway(t *testing.T) {
	for name, o := range map[string]Options{
		"its own queue": {MaxPerDestination: 1},
		"everybody's":   {MaxInFlight: 1},
	} {
		t.Run(name, func(t *testing.T) { waitForABrokenDestination(t, o) })
	}
}

func waitForABrokenDestination(t *testing.T, o Options) {
	status, arrived := make(chan int), make(chan struct{}, 20)
	url := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		w.WriteHeader(<-status)
	})
	b := newBench(t, o)
	var reports []<-chan callback.Answer
	for range maxFailures + 5 {
		reports = append(reports, b.deliver(url))
	}
	status <- http.StatusNotFound
	if a := <-reports[0]; a.Verdict != callback.Refused {
		t.Errorf("got %+v", a)
	}
	for i := range maxFailures + 1 {
		status <- http.StatusInternalServerError
		if a := <-reports[1+i]; a.Verdict != callback.Failed {
			t.Errorf("got %+v", a)
		}
	}
	for _, report := range reports[maxFailures+2:] {
		if a := <-report; a.Verdict != callback.Blocked || a.Wait != breakerOpen {
			t.Errorf("got %+v", a)
		}
	}
	if n := reading(t, b.metrics.waiting); n != 0 {
		t.Errorf("%v wait still", n)
	}
}

func TestDestinationsAreForgotten(t *testing.T) {
	b := newBench(t, Options{})
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range maxDestinations {
		b.destination(strings.Repeat("x", i))
	}
	b.mu.destinations["x"].breaker.failures = 1
	b.mu.destinations["x"].breaker.until = b.clock.Now()
	b.destination("new")
	if n := len(b.mu.destinations); n != 2 {
		t.Errorf("%d destinations are remembered, want the broken and the new", n)
	}
}

// Stop lets what is under way be answered, and its reports still come; what
// waited is not sent any more.
func TestStopLetsRequestsFinish(t *testing.T) {
	release, arrived := make(chan struct{}), make(chan struct{}, 2)
	url := receiver(t, func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	})
	b := newBench(t, Options{MaxInFlight: 1, Drain: time.Hour})
	first, second := b.deliver(url), b.deliver(url)
	<-arrived
	stopped := make(chan error)
	go func() { stopped <- b.Stop(context.Background()) }()
	<-b.group.Stopping()
	close(release)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if a := <-first; a.Verdict != callback.Accepted {
		t.Errorf("the first: %+v", a)
	}
	select {
	case a := <-second:
		t.Errorf("the second: %+v", a)
	case a := <-b.deliver(url):
		t.Errorf("one after the stop: %+v", a)
	case <-arrived:
		t.Error("another request was made")
	default:
	}
}

// A receiver that does not answer is cut off in the end, and nobody is told of
// what we cut off ourselves.
func TestStopCutsOff(t *testing.T) {
	release, arrived := make(chan struct{}), make(chan struct{}, 2)
	url := receiver(t, func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	})
	t.Cleanup(func() { close(release) })
	b := newBench(t, Options{Drain: time.Nanosecond})
	report := b.deliver(url)
	<-arrived
	if err := b.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	select {
	case a := <-report:
		t.Errorf("reported %+v", a)
	default:
	}
}
