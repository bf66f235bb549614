package inject_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/kubectl-leader/inject"
)

// refused fails unless the injection is refused with all of these words.
func refused(t *testing.T, text string, o inject.Options, words ...string) {
	t.Helper()
	r, err := inject.Inject([]inject.Input{{Name: "in.yaml", Data: []byte(text)}}, o)
	if err == nil {
		t.Fatalf("it is not refused:\n%s", r.Output)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}

// edited is a text with one thing changed, which must be there.
func edited(t *testing.T, text string, changes ...string) string {
	t.Helper()
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(text, changes[i]) {
			t.Fatalf("there is no %q", changes[i])
		}
		text = strings.Replace(text, changes[i], changes[i+1], 1)
	}
	return text
}

func TestWhatCannotBeInjectedIsRefusedWithItsLineAndTheMend(t *testing.T) {
	o := options
	refused(t, "", o, "no Deployment and no StatefulSet")
	refused(t, "kind: ConfigMap\napiVersion: v1\nmetadata: {name: x}\n", o, "no Deployment and no StatefulSet")
	for kind, why := range map[string]string{"DaemonSet": "one pod on each node", "Job": "deploy/examples/job", "CronJob": "deploy/examples/job", "Pod": "no standby"} {
		refused(t, "\napiVersion: x/v1\nkind: "+kind+"\nmetadata: {name: x}\n", o, "in.yaml: line 2", kind+"/x", why)
	}
	refused(t, edited(t, nginx, "  selector:\n    app: nginx # all of them\n", "  type: ExternalName\n  externalName: x.example\n", "kind: Service\nmetadata:\n  name: nginx\n", "kind: Service\nmetadata:\n  name: other\n"),
		given(o, func(o *inject.Options) { o.Service = "other" }), "in.yaml: line 31", "ExternalName", "ClusterIP")
	refused(t, edited(t, nginx, "targetPort: web", "targetPort: www"), o, "in.yaml: line 35", `targetPort "www"`, "write its number")
	refused(t, nginx[:strings.Index(nginx, "---")], o, "no Service in the input", "--route=none")
	refused(t, nginx+"---"+strings.Replace(nginx[strings.Index(nginx, "---")+3:], "name: nginx", "name: second", 1), o, "2 Services", "nginx, second", "--service=NAME")
	refused(t, edited(t, nginx, "name: nginx\n        image: nginx", "name: leader-elector\n        image: nginx"), o, "in.yaml: line 17", "ordinary container")
	refused(t, edited(t, nginx, "      containers:", "      initContainers: [{name: leader-elector, image: x}]\n      containers:"), o, "in.yaml: line 16", "is not the sidecar")
	refused(t, edited(t, nginx, "containerPort: 80", "containerPort: 4040"), o, "the port 4040", "--port")
	refused(t, edited(t, nginx, "name: web", "name: election", "port: web", "port: 80", "targetPort: web", "targetPort: 80"), o, "a port called election", "rename it")
	refused(t, edited(t, nginx, "kind: Deployment", "kind: StatefulSet"), given(o, func(o *inject.Options) { o.Route = inject.Readiness }), "a standby never is")
	refused(t, edited(t, nginx, "kind: Deployment", "kind: StatefulSet", "  replicas: 2", "  serviceName: nginx\n  replicas: 2", "spec:\n  selector:\n    app: nginx", "spec:\n  clusterIP: None\n  selector:\n    app: nginx"), o, "gives each pod its name")
	refused(t, edited(t, nginx, "  name: nginx   # as ever", "  name: nginx.eu"), o, "nginx.eu", "--election")
	refused(t, edited(t, nginx, "  name: nginx   # as ever", "  namespace: tv\n  name: nginx"), given(o, func(o *inject.Options) { o.ForceNamespace = true }), "in.yaml: line 5", "is in the namespace tv", "--namespace is radio")
	refused(t, "a: b: c\n", o, "in.yaml", "no YAML")
	refused(t, "%YAML 1.2\n---\n"+nginx, o, "line 1", "directive")
	refused(t, "\xff\xfea\x00", o, "not UTF-8")
	refused(t, nginx, given(o, func(o *inject.Options) { o.Lock = "endpoints"; o.ElectionNamespace = "radio" }), "the lock would be the Endpoints object of the Service nginx itself")
}

func given(o inject.Options, change func(*inject.Options)) inject.Options {
	change(&o)
	return o
}

func TestOptionsThatCannotBeAreRefused(t *testing.T) {
	for _, c := range []struct {
		say    string
		change func(*inject.Options)
	}{
		{"--route", func(o *inject.Options) { o.Route = "dns" }},
		{"--lock", func(o *inject.Options) { o.Lock = "configmaps" }},
		{"--ttl", func(o *inject.Options) { o.TTL = 1500 * time.Millisecond }},
		{"--ttl", func(o *inject.Options) { o.TTL = 3 * time.Second }},
		{"--extra-arg", func(o *inject.Options) { o.ExtraArgs = []string{"-v"} }},
		{"inject's own", func(o *inject.Options) { o.ExtraArgs = []string{"--ttl=5s"} }},
		{"--port", func(o *inject.Options) { o.ExtraArgs = []string{"--http=:1"} }},
		{"contradict", func(o *inject.Options) { o.NoHealthCheck, o.HealthChecks = true, []string{"tcp://:1"} }},
		{"--election", func(o *inject.Options) { o.Election = "A b" }},
	} {
		refused(t, nginx, given(options, c.change), c.say)
	}
}

func TestTheSidecarOf05IsRefusedWithTheWayToMove(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(deploy, "examples/readiness-0.5/manifest.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	o := options
	o.Route = inject.None
	refused(t, string(data), o, "leader-election-test", "docs/migrating-from-0.5.md")
	refused(t, strings.Replace(string(data), "leader-elector:dev", "gcr.io/google_containers/leader-elector:0.5", 1), o, "is leader-elector:0.5", "docs/migrating-from-0.5.md")
}

func TestAnotherRouteThanTheOneThatIsThereIsRefused(t *testing.T) {
	once := string(run(t, nginx, options).Output)
	refused(t, once, given(options, func(o *inject.Options) { o.Route = inject.Label }), "routes by endpointslice", "as it was before")
}

func TestTwoWorkloadsNeedNamesOfTheirOwn(t *testing.T) {
	second := strings.ReplaceAll(nginx, "nginx", "tv")
	refused(t, nginx+"---\n"+second, given(options, func(o *inject.Options) { o.Election = "one" }), "2 workloads", "--workload=NAME")
	both := run(t, nginx+"---\n"+second, options)
	for _, want := range []string{"--election=nginx", "--election=tv", "--service=nginx", "--service=tv", "name: leader-elector-tv-endpointslice"} {
		if !strings.Contains(string(both.Output), want) {
			t.Errorf("there is no %s", want)
		}
	}
	one := run(t, nginx+"---\n"+second, given(options, func(o *inject.Options) { o.Workload = "deployment/tv" }))
	if out := string(one.Output); !strings.Contains(out, "--election=tv") || strings.Contains(out, "--election=nginx") || !strings.Contains(out, nginx) {
		t.Error("the other workload is changed too, or this one is not")
	}
	same := nginx + "---\n" + strings.Replace(nginx[:strings.Index(nginx, "---")], "  name: nginx ", "  name: tv ", 1)
	refused(t, same, options, "both have the traffic of the Service nginx")
}
