package fencing

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// stores are what is fenced: how a writer reaches it, and who has written last.
var stores = map[string]func(t *testing.T, p *testplane.Plane, ns string) (env []string, player func() string){
	"postgres": func(t *testing.T, _ *testplane.Plane, _ string) ([]string, func() string) {
		where := postgres(t)
		db, err := pgx.Connect(t.Context(), where)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close(t.Context()) })
		if _, err := db.Exec(t.Context(), Schema+`; CREATE TABLE song (player text); INSERT INTO song VALUES ('nobody')`); err != nil {
			t.Fatal(err)
		}
		return []string{"TEST_POSTGRES=" + where}, func() (player string) {
			if err := db.QueryRow(t.Context(), `SELECT player FROM song`).Scan(&player); err != nil {
				t.Fatal(err)
			}
			return player
		}
	},
	"object": func(t *testing.T, p *testplane.Plane, ns string) ([]string, func() string) {
		path := "/api/v1/namespaces/" + ns + "/configmaps"
		body := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"song"}}`
		if code, said := p.Do(t, http.MethodPost, path, []byte(body)); code != http.StatusCreated {
			t.Fatalf("%d %s", code, said)
		}
		return []string{"TEST_ADMIN=" + p.Kubeconfig}, func() string {
			_, said := p.Do(t, http.MethodGet, path+"/song", nil)
			_, player, _ := strings.Cut(string(said), `"player":"`)
			player, _, _ = strings.Cut(player, `"`)
			return player
		}
	},
	"http": func(t *testing.T, _ *testplane.Plane, _ string) ([]string, func() string) {
		url := serve(t)
		return []string{"TEST_URL=" + url}, func() string {
			resp, err := http.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			said, _ := io.ReadAll(resp.Body)
			return string(said)
		}
	},
}

// A leader is frozen between its last look at the lead and its write; another
// one leads and writes; then the first one's write arrives. Every store refuses
// it by its term. Without the fence every store takes it, so the test bites.
func TestTheWriteOfALeaderWhoseTimeIsOverIsRefused(t *testing.T) {
	t.Parallel()
	for name, open := range stores {
		for _, free := range []bool{false, true} {
			title := name
			if free {
				title += " without a fence"
			}
			t.Run(title, func(t *testing.T) {
				t.Parallel()
				p := testplane.Get(t)
				ns := p.Namespace(t)
				env, player := open(t, p, ns)
				env = append(env, inStore+"="+name)
				old := env
				if free {
					old = append(old[:len(old):len(old)], unfenced+"=1")
				}
				a := starts(t, p, ns, "a", old...)
				first := a.leads(t)
				a.send(t, syscall.SIGSTOP)
				b := starts(t, p, ns, "b", env...)
				if second := b.leads(t); second <= first {
					t.Fatalf("b leads with term %d after %d", second, first)
				}
				b.goOn()
				if said := b.says(t); said != "written" {
					t.Fatalf("b: %s", said)
				}
				a.send(t, syscall.SIGCONT)
				a.goOn()
				said := a.says(t)
				if free && (said != "written" || player() != "a") {
					t.Errorf("without a fence: %s, and %q wrote last; the test shows nothing", said, player())
				}
				if !free && (!strings.HasPrefix(said, "fenced: a newer leader has written") || player() != "b") {
					t.Errorf("%s, and %q wrote last", said, player())
				}
			})
		}
	}
}

// A leader that is frozen within its transaction holds the row; the server ends
// that, the successor writes, and the transaction is never committed.
func TestATransactionThatIsFrozenDoesNotHoldTheSuccessorUp(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	env, player := stores["postgres"](t, p, ns)
	env = append(env, inStore+"=postgres")
	a := starts(t, p, ns, "a", append(env[:len(env):len(env)], held+"=1")...)
	a.leads(t)
	if said := a.says(t); said != "within" {
		t.Fatal(said)
	}
	a.send(t, syscall.SIGSTOP)
	b := starts(t, p, ns, "b", env...)
	b.leads(t)
	b.goOn()
	if said := b.says(t); said != "written" {
		t.Fatalf("b: %s", said)
	}
	a.send(t, syscall.SIGCONT)
	a.goOn()
	if said := a.says(t); said == "written" || player() != "b" {
		t.Errorf("the old transaction: %s, and %q wrote last", said, player())
	}
}

// What docs/fencing.md shows is what is tested here.
func TestTheDocumentQuotesThisCode(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "fencing.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"postgres.go", "object.go", "store.go"} {
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, ok := strings.Cut(string(code), "// snippet: ")
		_, rest, _ = strings.Cut(rest, "\n\n")
		snippet, _, ends := strings.Cut(rest, "\n// end of snippet")
		if !ok || !ends || !strings.Contains(string(doc), "```go\n"+snippet+"```") {
			t.Errorf("docs/fencing.md does not quote %s as it is", file)
		}
	}
	if !strings.Contains(string(doc), "```sql\n"+strings.TrimSpace(Schema)+"\n```") {
		t.Error("docs/fencing.md does not quote the schema as it is")
	}
}
