package inject_test

import (
	"testing"

	"github.com/leader-elector/leader-elector/kubectl-leader/inject"
)

// nginx is what a user has before: two pods that both serve.
const nginx = `# The radio.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: nginx   # as ever
spec:
  replicas: 2
  selector:
    matchLabels: {app: "nginx"}
  template:
    metadata:
      labels:
        app: 'nginx' # quoted
    spec:
      # The one container.
      containers:
      - name: nginx
        image: nginx
        ports:
        - name: web
          containerPort: 80
        readinessProbe:
          httpGet: { path: /, port: web }

---
apiVersion: v1
kind: Service
metadata:
  name: nginx
spec:
  selector:
    app: nginx # all of them
  ports:
  - port: 80
    targetPort: web
`

var options = inject.Options{Namespace: "radio", DefaultImage: "leader-elector:dev"}

// run injects, and fails where that is refused.
func run(t testing.TB, text string, o inject.Options) *inject.Result {
	t.Helper()
	r, err := inject.Inject([]inject.Input{{Name: "in.yaml", Data: []byte(text)}}, o)
	if err != nil {
		t.Fatalf("%v\nof:\n%s", err, text)
	}
	return r
}
