package inject

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// election is what is injected into one workload.
type election struct {
	w   *object
	pod place // spec.template.spec
	o   *Options

	name, namespace     string // namespace: the pods'
	lock, lockNamespace string
	route, service      string
	image, account      string
	ownAccount          bool
	health              []string
	port                int
	ttl                 time.Duration
	podIP               string
	tokenVolume         bool
	otherArgs           []string

	saidLock, saidNamespace, saidTTL string // as arguments; empty: the sidecar's default

	there *place // the sidecar of an earlier injection
	svc   *object
	notes []string
}

func (e *election) notef(format string, args ...any) {
	e.notes = append(e.notes, fmt.Sprintf("%v: ", e.w)+fmt.Sprintf(format, args...))
}

// newElection reads what is there, and decides. It changes nothing yet.
func newElection(w *object, in *input, o *Options) (*election, error) {
	e := &election{w: w, o: o, pod: w.root().at("spec", "template", "spec"), namespace: in.namespace(w)}
	if !e.pod.is() || len(e.pod.at("containers").items()) == 0 {
		return nil, e.pod.errorf("%v has no spec.template.spec.containers", w)
	}
	if err := e.find(); err != nil {
		return nil, err
	}
	was := e.read()
	e.name = or(o.Election, or(was["election"], w.name))
	if !dnsName.MatchString(e.name) || len(e.name) > 63 {
		return nil, e.pod.errorf("the election cannot have the workload's name %q, as a label's value it has 63 small letters, digits and dashes at most; write --election", e.name)
	}
	e.image = or(o.Image, or(was["image"], o.DefaultImage))
	e.lock = or(o.Lock, or(was["lock"], "leases"))
	e.route = or(o.Route, or(was["route"], EndpointSlice))
	if was["route"] != "" && was["route"] != e.route {
		return nil, e.there.errorf("the sidecar that is here routes by %s; to change to --route=%s, inject the manifest as it was before", was["route"], e.route)
	}
	e.decideLock(was)
	if err := e.decideTTL(was); err != nil {
		return nil, err
	}
	if err := e.decidePort(was); err != nil {
		return nil, err
	}
	if e.route == Readiness && w.kind == "StatefulSet" {
		return nil, e.pod.errorf("%v cannot route by readiness: a StatefulSet waits with each pod until the one before is Ready, and a standby never is; take --route=endpointslice", w)
	}
	if err := e.decideService(in, was["service"]); err != nil {
		return nil, err
	}
	e.decideAccount(in)
	e.decideHealth(was)
	if network, _ := e.pod.at("hostNetwork").value().(bool); network {
		if e.route == EndpointSlice {
			e.podIP = "$(POD_IPS)"
		}
		e.notef("with hostNetwork two of its pods on one node would both want the port %d; keep them apart by a podAntiAffinity", e.port)
	}
	e.extra(was)
	return e, nil
}

// find looks for sidecars that are there, ours and others.
func (e *election) find() error {
	for _, c := range e.pod.at("initContainers").items() {
		m := c.mapping()
		if m["name"] != ownName {
			continue
		}
		args, _ := m["args"].([]any)
		votes := slices.ContainsFunc(flags(args), func(f [2]string) bool { return f[0] == "election" })
		if m["restartPolicy"] != "Always" || m["command"] != nil || !votes {
			return c.errorf("an init container is called %s and is not the sidecar (restartPolicy: Always, and --election in its args); rename it", ownName)
		}
		e.there = &c
	}
	for _, c := range e.pod.at("containers").items() {
		m := c.mapping()
		image, _ := m["image"].(string)
		base := image[strings.LastIndex(image, "/")+1:]
		args, _ := m["args"].([]any)
		command, _ := m["command"].([]any)
		votes := slices.ContainsFunc(flags(slices.Concat(command, args)), func(f [2]string) bool { return f[0] == "election" })
		switch {
		case strings.HasPrefix(base, ownName+":0."):
			return c.errorf("the container %v is leader-elector:0.5, and its lock is another one than ours: to keep the election one while you move, follow docs/migrating-from-0.5.md", m["name"])
		case votes || m["name"] == ownName:
			return c.errorf("the container %v takes part in an election already, as an ordinary container; take it out to have the native sidecar in its place (of leader-elector:0.5: docs/migrating-from-0.5.md)", m["name"])
		}
	}
	return nil
}

// read is what the sidecar that is there says, by flag.
func (e *election) read() map[string]string {
	was := map[string]string{}
	if e.there == nil {
		return was
	}
	m := e.there.mapping()
	was["image"], _ = m["image"].(string)
	args, _ := m["args"].([]any)
	for _, f := range flags(args) {
		if f[0] == "health-check" && was[f[0]] != "" {
			f[1] = was[f[0]] + " " + f[1]
		}
		was[f[0]] = f[1]
		if !slices.Contains(managed, f[0]) {
			e.otherArgs = append(e.otherArgs, "--"+f[0]+"="+f[1])
		}
	}
	for _, v := range list(m, "env") {
		name, _ := v["name"].(string)
		value, _ := v["value"].(string)
		switch name {
		case "LEADER_ELECTOR_ROUTE":
			was["route"] = value
		case "LEADER_ELECTOR_HTTP":
			was["http"] = value
		}
	}
	if was["route"] == "" {
		was["route"] = None
		if e.asksWhoLeads() {
			was["route"] = Readiness
		}
	}
	return was
}

// asksWhoLeads says whether an app's readiness is who leads.
func (e *election) asksWhoLeads() bool {
	return slices.ContainsFunc(e.pod.at("containers").items(), func(c place) bool {
		return c.at("readinessProbe", "httpGet", "path").text() == "/leader"
	})
}

func (e *election) decideLock(was map[string]string) {
	e.lockNamespace = e.namespace
	e.saidNamespace = or(e.o.ElectionNamespace, was["election-namespace"])
	if e.lock != "leases" {
		e.saidLock = e.lock
		if e.saidNamespace == "" {
			e.saidNamespace = "default" // the sidecar's own choice then, written out as the Role has to be there
		}
	}
	e.lockNamespace = or(e.saidNamespace, e.namespace)
}

func (e *election) decideTTL(was map[string]string) error {
	e.ttl, e.saidTTL = defaultTTL, was["ttl"]
	if e.o.TTL != 0 {
		e.saidTTL = fmt.Sprintf("%ds", int(e.o.TTL.Seconds()))
	}
	if e.saidTTL != "" {
		ttl, err := time.ParseDuration(e.saidTTL)
		if err != nil {
			return e.there.errorf("--ttl=%s is no duration", e.saidTTL)
		}
		e.ttl = ttl
	}
	return nil
}

func (e *election) decidePort(was map[string]string) error {
	e.port = defaultPort
	if n := was["http"]; n != "" {
		if _, err := fmt.Sscanf(n[strings.LastIndex(n, ":")+1:], "%d", &e.port); err != nil {
			return e.there.errorf("the sidecar answers on %q, which is no port", n)
		}
	}
	if e.o.Port != 0 {
		e.port = e.o.Port
	}
	for _, c := range e.pod.at("containers").items() {
		for _, p := range c.at("ports").items() {
			if n, _ := p.at("containerPort").value().(int); n == e.port {
				return p.errorf("the container %s has the port %d, on which the sidecar answers; choose another one by --port", c.at("name").text(), n)
			}
			if p.at("name").text() == "election" {
				return p.errorf("the container %s has a port called election, which is the sidecar's; rename it", c.at("name").text())
			}
		}
	}
	return nil
}

// decideAccount keeps an account that the workload names, as the app may have
// rights by it.
func (e *election) decideAccount(in *input) {
	named := or(e.pod.at("serviceAccountName").text(), e.pod.at("serviceAccount").text())
	e.account = or(named, or(e.o.ServiceAccount, ownName+"-"+e.name))
	e.ownAccount = e.account == ownName+"-"+e.name
	if named == "" && e.ownAccount {
		e.notef("its pods get an account of their own, %s; if they need what the account default has (imagePullSecrets, rights), write --service-account=default", e.account)
	}
	mounts := e.pod.at("automountServiceAccountToken").value()
	if mounts == nil {
		if sa := in.byName("ServiceAccount", e.account, e.namespace); sa != nil {
			mounts = sa.root().at("automountServiceAccountToken").value()
		}
	}
	e.tokenVolume = mounts == false
}

// decideHealth takes what the app's probes ask, of the container that serves.
func (e *election) decideHealth(was map[string]string) {
	switch {
	case e.o.NoHealthCheck:
		return
	case len(e.o.HealthChecks) > 0:
		e.health = e.o.HealthChecks
		return
	case was["health-check"] != "":
		e.health = strings.Fields(was["health-check"])
		return
	case e.there != nil:
		return // it was injected without one
	}
	url, note := healthCheck(e.app().mapping(), e.port)
	if url == "" {
		e.notef("no health check: no probe and no port of the container %s says what to ask, so a pod whose app is dead keeps the lead; write --health-check=URL", e.app().at("name").text())
		return
	}
	e.health = []string{url}
	if note != "" {
		e.notef("%s", note)
	}
}

// app is the container to which the Service leads, or the first.
func (e *election) app() place {
	all := e.pod.at("containers").items()
	if e.svc != nil {
		for _, p := range list(map[string]any{"ports": e.svc.root().at("spec", "ports").value()}, "ports") {
			target := p["targetPort"]
			if target == nil {
				target = p["port"]
			}
			for _, c := range all {
				if hasPort(c.mapping(), target) {
					return c
				}
			}
		}
	}
	return all[0]
}

func hasPort(c map[string]any, target any) bool {
	return slices.ContainsFunc(list(c, "ports"), func(p map[string]any) bool {
		return p["containerPort"] == target || p["name"] == target && target != nil
	})
}

// extra are the arguments of no option of ours: given ones replace those that
// are there.
func (e *election) extra(was map[string]string) {
	for _, a := range e.o.ExtraArgs {
		name := func(a string) string { n, _, _ := strings.Cut(a, "="); return n }
		e.otherArgs = append(slices.DeleteFunc(e.otherArgs, func(b string) bool { return name(a) == name(b) }), a)
	}
}
