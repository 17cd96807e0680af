package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// taskQueue is where the demo's worker listens.
const taskQueue = "orders"

// approval is the signal an expensive order waits for.
const approval = "approve"

// Order is what a customer wants.
type Order struct {
	ID    string
	Cents int64
	// FlakyCard makes the payment service fail that many times first.
	FlakyCard int
	// Destination of the parcel. To "nowhere" the courier drives for ever,
	// until somebody cancels the order.
	Destination string
}

// OrderWorkflow takes an order from payment to delivery. Cancelled on the way,
// it calls the parcel back and returns the money before it ends.
func OrderWorkflow(ctx workflow.Context, order Order) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 200 * time.Millisecond, MaximumAttempts: 5},
	})
	if order.Cents > 100_000 {
		workflow.GetSignalChannel(ctx, approval).Receive(ctx, nil)
	}
	var do *activities
	var receipt string
	if err := workflow.ExecuteActivity(ctx, do.Charge, order).Get(ctx, &receipt); err != nil {
		return "", fmt.Errorf("order %s was not paid: %w", order.ID, err)
	}
	// The customer has a moment to change their mind.
	if err := workflow.Sleep(ctx, 300*time.Millisecond); err != nil {
		return "", refund(ctx, order, err)
	}
	delivery := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:          "delivery-" + order.ID,
		WaitForCancellation: true,
	})
	var door string
	if err := workflow.ExecuteChildWorkflow(delivery, DeliveryWorkflow, order).Get(ctx, &door); err != nil {
		return "", refund(ctx, order, err)
	}
	return fmt.Sprintf("%s, %s", receipt, door), nil
}

// refund runs shielded from the cancellation that made it necessary.
func refund(ctx workflow.Context, order Order, cause error) error {
	shielded, _ := workflow.NewDisconnectedContext(ctx)
	var do *activities
	if err := workflow.ExecuteActivity(shielded, do.Refund, order).Get(shielded, nil); err != nil {
		return errors.Join(cause, err)
	}
	return cause
}

// DeliveryWorkflow sends the parcel: one long activity that reports where it is.
func DeliveryWorkflow(ctx workflow.Context, order Order) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute,
		HeartbeatTimeout:    2 * time.Second,
		WaitForCancellation: true,
	})
	var do *activities
	var door string
	err := workflow.ExecuteActivity(ctx, do.Deliver, order).Get(ctx, &door)
	return door, err
}

// activities are the steps that touch the world. Here the world is a printout.
type activities struct {
	say func(order, format string, args ...any)
}

// Charge takes the money. The card network has bad days.
func (a *activities) Charge(ctx context.Context, order Order) (string, error) {
	attempt := int(activity.GetInfo(ctx).Attempt)
	if attempt <= order.FlakyCard {
		a.say(order.ID, "charge: attempt %d failed, the card network is down; it will be retried", attempt)
		return "", errors.New("card network unreachable")
	}
	a.say(order.ID, "charge: attempt %d took %s", attempt, euros(order.Cents))
	return "paid " + euros(order.Cents), nil
}

// Refund gives the money back.
func (a *activities) Refund(_ context.Context, order Order) error {
	a.say(order.ID, "refund: %s returned", euros(order.Cents))
	return nil
}

// Deliver drives to the destination, a kilometre a tick, and says so in its
// heartbeats. They are also how it learns that the order was cancelled: then it
// turns round, which takes a moment, and accepts the cancellation.
func (a *activities) Deliver(ctx context.Context, order Order) (string, error) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for km := 1; order.Destination == "nowhere" || km <= 4; km++ {
		select {
		case <-ctx.Done():
			a.say(order.ID, "delivery: cancelled at km %d; bringing the parcel back first", km)
			<-tick.C
			a.say(order.ID, "delivery: parcel is back in the store")
			return "", ctx.Err()
		case <-tick.C:
			activity.RecordHeartbeat(ctx, km)
			a.say(order.ID, "delivery: km %d", km)
		}
	}
	return "delivered to " + order.Destination, nil
}

func euros(cents int64) string { return fmt.Sprintf("%d.%02d €", cents/100, cents%100) }
