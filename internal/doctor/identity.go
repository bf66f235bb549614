package doctor

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// identity looks whether the candidate's name is one that only it has.
func identity(_ context.Context, p *patient) {
	id, want, what := p.cfg.ID, p.token.Kubernetes.Pod.Name, "the pod's name"
	if strings.HasPrefix(p.cfg.Lock, "endpoints") {
		want, _ = os.Hostname()
		what = "the hostname"
	}
	switch {
	case id == "":
		p.fail(finding{text: "this candidate has no id", mend: "give --id, the pod's name by the downward API (metadata.name)"})
	case strings.Contains(id, "/"):
		p.fail(finding{text: fmt.Sprintf("the id %q contains a slash", id), mend: "give --id without one: the pod's name"})
	case want != "" && id != want:
		p.warn(finding{text: fmt.Sprintf("the id %q is not %s, %q: a person, and a hand-over, will look for the pod %q", id, what, want, id),
			mend: "leave --id out, or see to it that no other pod gets the same"})
	default:
		p.ok("the id is %q%s", id, map[bool]string{true: ", " + what}[want != ""])
	}
}
