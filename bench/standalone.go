package bench

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"
)

// This file has the scenarios of activities that stand alone.

// standaloneAndWait runs one from start to outcome.
func standaloneAndWait(ctx context.Context, b *bench, id string) error {
	run, err := b.startStandalone(ctx, id, 0)
	if err != nil {
		return err
	}
	for {
		reply, err := b.api.PollActivityExecution(ctx, &workflowservice.PollActivityExecutionRequest{
			Namespace: b.Namespace, ActivityId: id, RunId: run,
		})
		switch {
		case err != nil:
			return fmt.Errorf("outcome of %s: %w", id, err)
		case reply.GetOutcome().GetFailure() != nil:
			return fmt.Errorf("%s failed: %s", id, reply.GetOutcome().GetFailure().GetMessage())
		case reply.GetOutcome() != nil:
			return nil
		}
	}
}

func (b *bench) startStandalone(ctx context.Context, id string, heartbeat time.Duration) (run string, err error) {
	reply, err := b.api.StartActivityExecution(ctx, &workflowservice.StartActivityExecutionRequest{
		Namespace: b.Namespace, ActivityId: id, RequestId: id, Identity: "bench", Input: payload,
		ActivityType:        &commonpb.ActivityType{Name: "work"},
		TaskQueue:           b.queue(),
		StartToCloseTimeout: durationpb.New(time.Hour),
		HeartbeatTimeout:    durationpb.New(heartbeat),
	})
	if err != nil {
		return "", fmt.Errorf("start %s: %w", id, err)
	}
	return reply.GetRunId(), nil
}

const (
	// heartbeatTime is how long each server is measured.
	heartbeatTime = 20 * time.Second
	// heartbeatEvery is how often each activity reports.
	heartbeatEvery = time.Second
	// heartbeatTimeout is longer than the other servers' turns.
	heartbeatTimeout = time.Minute
)

// heartbeats has Count activities run that report every second, evenly spread,
// and looks at what that costs. Concurrency calls are in flight at most.
func heartbeats(ctx context.Context, benches ...*bench) (*Report, error) {
	reports := make([]*Report, len(benches))
	loads := make([]*heartbeatLoad, len(benches))
	for i, b := range benches {
		loads[i] = &heartbeatLoad{bench: b, every: heartbeatEvery}
		var err error
		if reports[i], err = loads[i].prepare(ctx); err != nil {
			return nil, err
		}
	}
	rounds := 1
	if len(benches) > 1 {
		rounds = floorRounds
	}
	for range rounds {
		for _, l := range loads {
			if err := wait(ctx, l.settle); err != nil {
				return nil, err
			}
			if err := l.measure(ctx, int(heartbeatTime/heartbeatEvery)/rounds); err != nil {
				return nil, err
			}
		}
	}
	for i, l := range loads {
		reports[i].Heartbeat = l.report()
		// What is compared is the heartbeats, not the start of the activities.
		reports[i].CPUMillisEach, reports[i].WrittenKiBEach = reports[i].Heartbeat.CPUMicros/1000, reports[i].Heartbeat.WrittenBytes/1024
		reports[i].PerSecond, reports[i].Latency = reports[i].Heartbeat.PerSecond, reports[i].Heartbeat.Call
		reports[0].compareAs(l.role, reports[i])
	}
	return reports[0], nil
}

// heartbeatLoad is the running activities of one server.
type heartbeatLoad struct {
	*bench
	every  time.Duration
	tokens [][]byte
	// reports counts those of each activity.
	reports int
	calls   samples
	took    time.Duration
	used    usage
}

// prepare starts the activities and takes them all, as a worker would.
func (l *heartbeatLoad) prepare(ctx context.Context) (*Report, error) {
	before, err := l.server.usage()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	tokens := make(chan []byte, l.Count)
	err = l.each(ctx, func(ctx context.Context, n int) error {
		if _, err := l.startStandalone(ctx, fmt.Sprintf("%s-%d", l.prefix, n), heartbeatTimeout); err != nil {
			return err
		}
		for ctx.Err() == nil {
			if token := l.takeActivity(ctx); token != nil {
				tokens <- token
				return nil
			}
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	close(tokens)
	for token := range tokens {
		l.tokens = append(l.tokens, token)
	}
	after, err := l.server.usage()
	if err != nil {
		return nil, err
	}
	return l.bench.report(time.Since(began), before, after), nil
}

// each calls do for every number below Count, Concurrency at a time, and returns
// the first error.
func (l *heartbeatLoad) each(ctx context.Context, do func(ctx context.Context, n int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	for w := range l.Concurrency {
		group.Go(func() {
			for n := w; n < l.Count && ctx.Err() == nil; n += l.Concurrency {
				if err := do(ctx, n); err != nil {
					cancel(err)
				}
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

// measure lets every activity report so many times.
func (l *heartbeatLoad) measure(ctx context.Context, times int) error {
	before, err := l.server.usage()
	if err != nil {
		return err
	}
	began := time.Now()
	for round := range times {
		due := began.Add(time.Duration(round) * l.every)
		l.reports++
		details := progress(l.reports)
		err := l.each(ctx, func(ctx context.Context, n int) error {
			at := due.Add(l.every * time.Duration(n) / time.Duration(l.Count))
			if err := wait(ctx, time.Until(at)); err != nil {
				return err
			}
			called := time.Now()
			_, err := l.api.RecordActivityTaskHeartbeat(ctx, &workflowservice.RecordActivityTaskHeartbeatRequest{
				Namespace: l.Namespace, TaskToken: l.tokens[n], Identity: "bench", Details: details,
			})
			l.calls.add(time.Since(called))
			return err
		})
		if err != nil {
			return fmt.Errorf("heartbeat: %w", err)
		}
	}
	l.took += time.Since(began)
	after, err := l.server.usage()
	if err != nil {
		return err
	}
	l.used.cpu += after.cpu - before.cpu
	l.used.writtenBytes += after.writtenBytes - before.writtenBytes
	return nil
}

// progress are the details of a heartbeat, each time others: details that stay
// the same would not be written.
func progress(n int) *commonpb.Payloads {
	return &commonpb.Payloads{Payloads: []*commonpb.Payload{{
		Metadata: payload.Payloads[0].Metadata, Data: strconv.AppendInt(nil, int64(n), 10),
	}}}
}

func (l *heartbeatLoad) report() *Heartbeat {
	n := float64(l.calls.len())
	return &Heartbeat{
		Activities:   l.Count,
		PerSecond:    n / l.took.Seconds(),
		CorePercent:  100 * l.used.cpu.Seconds() / l.took.Seconds(),
		CPUMicros:    float64(l.used.cpu.Microseconds()) / n,
		WrittenBytes: float64(l.used.writtenBytes) / n,
		Call:         l.calls.distribution(),
	}
}
