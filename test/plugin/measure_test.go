package plugin_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

var measured = flag.Int("elections", 300, "how many elections TestListOfManyElections makes")

// TestListOfManyElections demands that all are listed, whatever the number, and
// tells how long that took; it judges no time.
func TestListOfManyElections(t *testing.T) {
	p := testplane.Own(t)
	fill(t, p, *measured)
	var took []time.Duration
	for range 7 {
		begun := time.Now()
		said := run(t, p.Kubeconfig, "list", "-A").wants(t, 0)
		took = append(took, time.Since(begun))
		if n := strings.Count(said.out, " Led "); n != *measured {
			t.Fatalf("it lists %d elections of %d:\n%.2000s", n, *measured, said.out)
		}
	}
	slices.Sort(took)
	t.Logf("kubectl leader list -A over %d elections, %d times: median %v, longest %v", *measured, len(took),
		took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
	for _, args := range [][]string{{"list", "-A", "--chunk-size=500"}, {"list", "-A", "-o", "json"}, {"version"}} {
		begun := time.Now()
		run(t, p.Kubeconfig, args...).wants(t, 0)
		t.Logf("kubectl leader %s: %v", strings.Join(args, " "), time.Since(begun).Round(time.Millisecond))
	}
}

// fill makes leases as their holders write them, a hundred to a namespace.
func fill(t *testing.T, p *testplane.Plane, n int) {
	t.Helper()
	body, err := os.ReadFile("testdata/lease.json")
	if err != nil {
		t.Fatal(err)
	}
	var namespaces []string
	for range (n + 99) / 100 {
		namespaces = append(namespaces, p.Namespace(t))
	}
	now := time.Now().UTC().Add(time.Hour).Format("2006-01-02T15:04:05.000000Z") // it does not run out meanwhile
	work := make(chan int)
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for i := range work {
				text := strings.NewReplacer("NAME", fmt.Sprintf("music-%05d", i), "RENEWED", now).Replace(string(body))
				path := "/apis/coordination.k8s.io/v1/namespaces/" + namespaces[i/100] + "/leases"
				if code, answer := p.Do(t, http.MethodPost, path, []byte(text)); code >= 300 {
					t.Errorf("%d %s", code, answer)
				}
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	workers.Wait()
	if t.Failed() {
		t.FailNow()
	}
}
