package elector_test

import (
	"context"
	"fmt"
	"log"
	"os/signal"
	"syscall"

	elector "github.com/leader-elector/leader-elector"
)

// A program that works only while it leads, beside `kubectl proxy`.
func Example() {
	e, err := elector.New(elector.Config{
		Election: "importer", Namespace: "default", ID: "importer-0",
		Server: "http://127.0.0.1:8001",
		Follower: elector.Work(func(ctx context.Context, term elector.Term) error {
			fmt.Println("importing, with the fencing token", term)
			<-ctx.Done() // its cause says how the lead ended
			return nil
		}),
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := e.Run(ctx); err != nil { // returns when the lock has been released
		log.Fatal(err)
	}
}

// Before each effect that only a leader may have, ask; and send the term along.
func ExampleElector_Leads() {
	var e *elector.Elector // from New
	write := func(data string) error {
		term, ok := e.Leads()
		if !ok {
			return fmt.Errorf("not written: %w", elector.ErrLeadEnded)
		}
		return store(data, term) // refuses a term lower than the last it saw
	}
	_ = write
}

func store(string, elector.Term) error { return nil }

// Follow the changes of an election, in order.
func ExampleElector_Changes() {
	var e *elector.Elector // from New, running
	show := func(ctx context.Context) {
		for s := range e.Changes(ctx) {
			fmt.Printf("%s leads since %s; I lead: %v\n", s.Leader, s.Since, s.IsLeader)
		}
	}
	_ = show
}

func ExampleConfig_Validate() {
	cfg := elector.Config{Election: "importer", ID: "importer-0", Server: "http://127.0.0.1:8001", TTL: 1}
	fmt.Println(cfg.Validate())
	// Output:
	// the election's namespace is not known
	// the ttl 1ns is too short: below 4s a single slow answer costs the lead
}
