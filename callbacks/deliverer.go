package callbacks

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/nexus-rpc/sdk-go/nexus"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/internal/clock"
	"github.com/perdure/perdure/internal/lifecycle"
)

// Options of a Deliverer. None is required.
type Options struct {
	// Addresses that may be called. Defaults to none.
	Addresses Addresses
	// MaxInFlight bounds the requests under way, MaxPerDestination those to one
	// scheme, host and port. Raise them when receivers are many or slow and
	// callbacks wait. Default to 256 and 32.
	MaxInFlight       int
	MaxPerDestination int
	// MaxWaiting and MaxWaitingBytes bound what waits for its turn; beyond, the
	// executions keep their callbacks and ask again. Default to 10,000 and
	// 64 MiB.
	MaxWaiting      int
	MaxWaitingBytes int
	// Drain is how long Stop lets requests under way be answered: those that are
	// cut off are made again when the server is back. Defaults to 2 s.
	Drain time.Duration
	// Clock tells the time. Defaults to the machine's.
	Clock clock.Clock
	// Log takes what an operator should see. Defaults to nowhere.
	Log *slog.Logger
	// Metrics takes the measurements. Defaults to none.
	Metrics prometheus.Registerer
}

func (o Options) withDefaults() Options {
	for _, f := range []struct {
		field *int
		value int
	}{{&o.MaxInFlight, 256}, {&o.MaxPerDestination, 32}, {&o.MaxWaiting, 10_000}, {&o.MaxWaitingBytes, 64 << 20}} {
		if *f.field <= 0 {
			*f.field = f.value
		}
	}
	if o.Drain <= 0 {
		o.Drain = 2 * time.Second
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Deliverer makes the requests. Its methods may be called from any goroutine.
type Deliverer struct {
	opt     Options
	client  *http.Client
	metrics *metrics
	group   lifecycle.Group
	// ctx ends when the deliverer stops, and the requests under way with it.
	ctx    context.Context
	cancel context.CancelFunc

	mu struct {
		sync.Mutex
		destinations map[string]*destination
		// next are the destinations that have something to send and may, in
		// turn. Invariant: a destination is in it at most once (listed).
		next []*destination
		// waiting jobs and their bytes; requests in flight.
		waiting int
		bytes   int
		flying  int
		// stopping: nothing more is sent.
		stopping bool
	}
}

// destination is one scheme, host and port.
type destination struct {
	name    string
	waiting []job
	flying  int
	listed  bool
	breaker breaker
}

// job is one try.
type job struct {
	d     *engine.Delivery
	done  func(callback.Answer)
	bytes int
}

// New makes a Deliverer.
func New(o Options) *Deliverer {
	o = o.withDefaults()
	x := &Deliverer{opt: o, client: newClient(o.MaxPerDestination), metrics: newMetrics(o.Metrics)}
	x.ctx, x.cancel = context.WithCancel(context.Background())
	x.mu.destinations = make(map[string]*destination)
	return x
}

// Deliver makes a try. It does not wait: done is called once with the report,
// from any goroutine, perhaps before Deliver returns. The delivery has its
// Completion. After Stop done may never be called.
func (x *Deliverer) Deliver(d *engine.Delivery, done func(callback.Answer)) {
	report := func(a callback.Answer) {
		x.metrics.reported(a)
		done(a)
	}
	target := d.Callback.GetNexus().GetUrl()
	if inside(target) {
		// Nexus operations of this server are not built yet, so none waits.
		report(rejected(&nexus.HandlerError{Type: nexus.HandlerErrorTypeNotFound, Message: "no Nexus operation waits for this completion"}))
		return
	}
	if err := x.opt.Addresses.Check(target); err != nil {
		// It was allowed once; it may be again.
		report(callback.Answer{Verdict: callback.Blocked, Reason: bounded(err.Error())})
		return
	}
	if reason, wait := x.enqueue(nameOf(target), job{d, report, completionBytes(d.Completion)}); reason != "" {
		report(callback.Answer{Verdict: callback.Blocked, Reason: reason, Wait: wait})
	}
}

// nameOf is the destination of a URL, which has been checked.
func nameOf(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return target
	}
	return u.Scheme + "://" + u.Host
}

func completionBytes(c *engine.Completion) int { return proto.Size(c.Result) + proto.Size(c.Failure) }

// tooMany is the reason of a try that found no room.
const tooMany = "too many callbacks wait to be delivered"

// enqueue lets a job wait for its turn, or says why it may not.
func (x *Deliverer) enqueue(name string, j job) (reason string, wait time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.mu.waiting >= x.opt.MaxWaiting || x.mu.waiting > 0 && x.mu.bytes+j.bytes > x.opt.MaxWaitingBytes {
		return tooMany, 0
	}
	dest := x.destination(name)
	if wait, open := dest.breaker.blocks(x.opt.Clock.Now()); open {
		return breakerReason, wait
	}
	dest.waiting = append(dest.waiting, j)
	x.mu.waiting++
	x.mu.bytes += j.bytes
	x.metrics.waiting.Set(float64(x.mu.waiting))
	x.list(dest)
	x.start()
	return "", 0
}

// maxDestinations is how many destinations are remembered before those are
// forgotten that nothing is known of.
const maxDestinations = 1000

func (x *Deliverer) destination(name string) *destination {
	if dest := x.mu.destinations[name]; dest != nil {
		return dest
	}
	if len(x.mu.destinations) >= maxDestinations {
		now := x.opt.Clock.Now()
		for name, dest := range x.mu.destinations {
			if dest.flying == 0 && len(dest.waiting) == 0 && dest.breaker.forgettable(now) {
				delete(x.mu.destinations, name)
			}
		}
	}
	dest := &destination{name: name}
	x.mu.destinations[name] = dest
	return dest
}

// list puts a destination that may send into the row.
func (x *Deliverer) list(dest *destination) {
	if !dest.listed && len(dest.waiting) > 0 && dest.flying < x.opt.MaxPerDestination && !dest.breaker.probing() {
		dest.listed = true
		x.mu.next = append(x.mu.next, dest)
	}
}

// start sends what may be sent. The mutex is held.
func (x *Deliverer) start() {
	for x.mu.flying < x.opt.MaxInFlight && len(x.mu.next) > 0 && !x.mu.stopping {
		dest := x.mu.next[0]
		x.mu.next = x.mu.next[1:]
		dest.listed = false
		j := dest.waiting[0]
		dest.waiting[0] = job{}
		dest.waiting = dest.waiting[1:]
		x.mu.waiting--
		x.mu.bytes -= j.bytes
		x.mu.flying++
		dest.flying++
		dest.breaker.begin()
		x.metrics.waiting.Set(float64(x.mu.waiting))
		x.metrics.flying.Set(float64(x.mu.flying))
		x.group.Go(func(<-chan struct{}) { x.carryOut(dest, j) })
		x.list(dest)
	}
}

// carryOut makes one try and reports it.
func (x *Deliverer) carryOut(dest *destination, j job) {
	a, sent := x.try(j.d)
	if sent && a.Verdict == callback.Failed {
		x.opt.Log.Debug("a callback was not delivered", "run", j.d.Run, "destination", dest.name, "error", a.Failure.GetMessage())
	}
	held, wait := x.ended(dest, a, sent)
	if x.ctx.Err() != nil {
		return // the request may have been cut off by Stop
	}
	j.done(a)
	for _, j := range held {
		j.done(callback.Answer{Verdict: callback.Blocked, Reason: breakerReason, Wait: wait})
	}
}

// ended gives the place of a request to the next. When the destination is to be
// left alone it gives those that waited for it, and how long they are to stay away.
func (x *Deliverer) ended(dest *destination, a callback.Answer, sent bool) (held []job, wait time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.mu.flying--
	dest.flying--
	x.metrics.flying.Set(float64(x.mu.flying))
	now := x.opt.Clock.Now()
	if sent {
		if dest.breaker.ended(a.Verdict != callback.Failed, now) {
			x.opt.Log.Warn("callbacks to a destination are held back for a while because it keeps failing",
				"destination", dest.name, "error", a.Failure.GetMessage())
		}
	} else {
		dest.breaker.notSent()
	}
	if open, blocked := dest.breaker.blocks(now); blocked {
		held, wait = x.drain(dest), open
	}
	x.list(dest)
	x.start()
	return held, wait
}

// drain takes out what waits for a destination.
func (x *Deliverer) drain(dest *destination) []job {
	held := dest.waiting
	dest.waiting = nil
	if dest.listed {
		dest.listed = false
		x.mu.next = slices.DeleteFunc(x.mu.next, func(other *destination) bool { return other == dest })
	}
	for _, j := range held {
		x.mu.waiting--
		x.mu.bytes -= j.bytes
	}
	x.metrics.waiting.Set(float64(x.mu.waiting))
	return held
}

// leastTime is what must be left of a try's time for a request to be worth making.
const leastTime = time.Second

// try makes the request, if there is time. sent tells whether it was.
func (x *Deliverer) try(d *engine.Delivery) (a callback.Answer, sent bool) {
	now := x.opt.Clock.Now()
	timeout := min(d.Timeout, d.Until.Sub(now))
	if timeout < leastTime {
		return callback.Answer{Verdict: callback.Blocked, Reason: tooMany}, false
	}
	c, err := contentOf(d.Completion)
	if err != nil {
		return unsendable(err), false
	}
	ctx, cancel := context.WithTimeout(x.ctx, timeout)
	defer cancel()
	req, err := request(ctx, d, c, timeout)
	if err != nil {
		return unsendable(err), false
	}
	resp, err := x.client.Do(req)
	x.metrics.took(x.opt.Clock.Now().Sub(now))
	if err != nil {
		return unreachable(err), true
	}
	defer func() { _ = resp.Body.Close() }() // it has been read as far as we care
	return answerOf(resp), true
}

// unsendable reports a request that cannot be made, now or ever.
func unsendable(err error) callback.Answer {
	return rejected(&nexus.HandlerError{Type: nexus.HandlerErrorTypeBadRequest, Message: err.Error()})
}

// Stop sends nothing more, lets the requests under way be answered for a while,
// then cuts them off, and waits until all is still, or ctx ends. What was not
// delivered is tried again by the executions when the server runs again. It may
// be called again.
func (x *Deliverer) Stop(ctx context.Context) error {
	x.mu.Lock()
	x.mu.stopping = true
	x.mu.Unlock()
	enough := time.AfterFunc(x.opt.Drain, x.cancel)
	defer enough.Stop()
	err := x.group.Stop(ctx)
	x.cancel()
	x.client.CloseIdleConnections()
	return err
}
