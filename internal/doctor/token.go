package doctor

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// tokenLow is when a token should have been rotated: the kubelet does it at
// four fifths of a lifetime that is at least ten minutes.
const tokenLow = 90 * time.Second

// claims is what is used of a service account's token.
type claims struct {
	Audience   audience `json:"aud"`
	Expires    float64  `json:"exp"`
	Kubernetes struct {
		Namespace string
		Pod       struct{ Name, UID string }
		Node      struct{ Name string }
	} `json:"kubernetes.io"`
}

// audience is a string or a list of them (RFC 7519, 4.1.3).
type audience []string

func (a *audience) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		*a = make(audience, 1)
		return json.Unmarshal(data, &(*a)[0])
	}
	return json.Unmarshal(data, (*[]string)(a))
}

// parseClaims reads a token's payload. Its errors never quote the token.
func parseClaims(token string) (c claims, err error) {
	parts := strings.Split(strings.TrimSpace(token), ".")
	if len(parts) != 3 {
		return c, errors.New("it is no JSON Web Token")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return c, errors.New("its payload is not base64")
	}
	if json.Unmarshal(payload, &c) != nil {
		return claims{}, errors.New("its payload is not the JSON of claims")
	}
	return c, nil
}

// token looks at the credentials that lie in this pod.
func token(_ context.Context, p *patient) {
	file := p.cfg.Access.TokenFile
	switch {
	case file == "" && p.cfg.Mounted:
		p.warn(finding{text: "a service account's token is mounted, but the settings name another way to the API server: " + or(p.cfg.Access.AddressFrom, p.cfg.Access.Server, "none that works"),
			mend: "leave --kubeconfig and --server out to use the pod's service account, or set automountServiceAccountToken: false"})
		return
	case file == "":
		p.ok("no service account's token is used: the way to the API server is %s", or(p.cfg.Access.AddressFrom, p.cfg.Access.Server, "not known"))
		return
	}
	data, err := os.ReadFile(file)
	if err != nil {
		p.fail(finding{text: fmt.Sprintf("the token cannot be read: %v", err),
			mend: "set automountServiceAccountToken: true; if the file is there, set the pod's securityContext.fsGroup to a group of this user"})
		return
	}
	c, err := parseClaims(string(data))
	if err != nil {
		p.warn(finding{text: fmt.Sprintf("the token in %s says nothing of the pod: %v", file, err),
			mend: "use the token that the kubelet projects (automountServiceAccountToken: true), or give --id and --election-namespace"})
		return
	}
	p.token = c
	p.tokenLife(c)
	p.tokenPod(c)
}

// tokenLife looks at how long the token is good, and for whom.
func (p *patient) tokenLife(c claims) {
	if c.Expires == 0 {
		p.warn(finding{text: "the token never expires: it is an old one from a Secret",
			mend: "use the token that the kubelet projects: remove the mount of the Secret, set automountServiceAccountToken: true"})
		return
	}
	left := time.Until(time.Unix(int64(c.Expires), 0)).Round(time.Second)
	mend := "the kubelet rotates the file: mount the volume as a folder (with subPath it is never renewed), look at the kubelet, and at this machine's clock"
	switch {
	case left <= 0:
		p.fail(finding{text: fmt.Sprintf("the token expired %v ago", -left), mend: mend})
	case left < tokenLow:
		p.warn(finding{text: fmt.Sprintf("the token expires in %v, and has not been rotated", left), mend: mend})
	default:
		p.ok("the token is good for %v, for the audience %s", left, strings.Join(c.Audience, ", "))
	}
}

// tokenPod looks at what the token says of the pod.
func (p *patient) tokenPod(c claims) {
	k := c.Kubernetes
	switch {
	case k.Pod.Name == "" || k.Pod.UID == "":
		p.warn(finding{text: "the token is not bound to a pod: a restarted container waits for its own lease, and the id is not known from it",
			mend: "use the token that the kubelet projects (automountServiceAccountToken: true)"})
	case k.Node.Name == "" && p.cfg.Route == "endpointslice":
		p.warn(finding{text: "the token does not name the node: the slice will have no nodeName, so routing by topology does not see it",
			mend: "use Kubernetes 1.32 or newer"})
	default:
		p.ok("the token is pod %s/%s's, on node %s", k.Namespace, k.Pod.Name, or(k.Node.Name, "(not named)"))
	}
}
