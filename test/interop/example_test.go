package interop_test

import (
	"context"
	"fmt"
	"log"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/test/interop"
	"k8s.io/client-go/tools/clientcmd"
)

// A program that uses client-go elects with the configuration that it has.
func ExampleRESTConfig() {
	cfg, err := clientcmd.BuildConfigFromFlags("", clientcmd.RecommendedHomeFile)
	if err != nil {
		log.Fatal(err)
	}
	server, newClient, err := interop.RESTConfig(cfg)
	if err != nil {
		log.Fatal(err)
	}
	e, err := elector.New(elector.Config{
		Election: "importer", Namespace: "jobs", ID: "importer-0",
		Server: server, NewClient: newClient,
		Follower: elector.Work(func(ctx context.Context, term elector.Term) error {
			fmt.Println("importing under term", term)
			<-ctx.Done()
			return nil
		}),
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := e.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
