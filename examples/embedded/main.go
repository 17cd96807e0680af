// Command embedded runs a Perdure server inside a Go program: no port, no other
// process. What the program starts survives it, in the folder "perdure-data".
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/perdure/perdure/server"
)

// Greet waits a moment, durably, and greets.
func Greet(ctx workflow.Context, name string) (string, error) {
	if err := workflow.Sleep(ctx, 500*time.Millisecond); err != nil {
		return "", err
	}
	return "Hello, " + name + "!", nil
}

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	s, err := server.Start(ctx, server.Options{})
	if err != nil {
		return err
	}
	defer s.Stop(ctx)

	c, err := client.Dial(client.Options{
		HostPort:          s.Target(),
		ConnectionOptions: client.ConnectionOptions{DialOptions: s.DialOptions()},
	})
	if err != nil {
		return err
	}
	defer c.Close()

	w := worker.New(c, "greetings", worker.Options{})
	w.RegisterWorkflow(Greet)
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()

	greeting, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: "greetings"}, Greet, "world")
	if err != nil {
		return err
	}
	var text string
	if err := greeting.Get(ctx, &text); err != nil {
		return err
	}
	fmt.Println(text)
	return nil
}
