package inject

import (
	"fmt"
	"strings"
)

// change makes all changes in the workload.
func (e *election) change() error {
	template := e.w.root().at("spec", "template")
	if labels := template.at("metadata", "labels"); labels.at(electionLabel).value() != e.name {
		label := labels.at(electionLabel)
		var err error
		if label.node != nil {
			err = label.become(e.name)
		} else {
			err = labels.set(electionLabel, e.name, "")
		}
		if err != nil {
			return err
		}
	}
	for _, step := range []func() error{e.changeAccount, e.changeSidecar, e.changeApp, e.changeVolumes, e.changeRoll} {
		if err := step(); err != nil {
			return err
		}
	}
	e.warn()
	return nil
}

func (e *election) changeAccount() error {
	if e.pod.at("serviceAccountName").text() != "" || e.pod.at("serviceAccount").text() != "" || e.account == "default" {
		return nil
	}
	return e.pod.set("serviceAccountName", e.account, "containers")
}

func (e *election) changeSidecar() error {
	now := e.container()
	if e.there == nil {
		return e.pod.at("initContainers").add(now, "containers")
	}
	return e.there.update(merge(now, e.there.mapping()))
}

// changeApp lets the app live on until the traffic is with the successor.
func (e *election) changeApp() error {
	app := e.app()
	for _, c := range e.pod.at("containers").items() {
		if e.linger() > 0 {
			if err := e.stay(c); err != nil {
				return err
			}
		}
	}
	if e.route != Readiness {
		return nil
	}
	probe := fields{{"httpGet", fields{{"path", "/leader"}, {"port", e.port}}}, {"periodSeconds", 1}, {"timeoutSeconds", 2}, {"failureThreshold", 3}}
	switch p := app.at("readinessProbe"); {
	case same(probe, p.value()):
		return nil
	case p.is():
		return p.become(probe)
	}
	return app.set("readinessProbe", probe, "")
}

// stay gives a container the preStop that keeps it until the traffic has moved.
func (e *election) stay(c place) error {
	sleep := fields{{"sleep", fields{{"seconds", e.linger()}}}}
	name := c.at("name").text()
	switch hook := c.at("lifecycle", "preStop"); {
	case same(sleep, hook.value()):
		return nil
	case hook.is():
		if hook.at("sleep").is() {
			if n, _ := hook.at("sleep", "seconds").value().(int); n >= e.linger() {
				return nil
			}
		}
		e.notef("the container %s keeps its own preStop; it must take %d s at least, or requests fail at the end of a leader's pod", name, e.linger())
		return nil
	}
	return c.at("lifecycle").set("preStop", sleep, "")
}

func (e *election) changeVolumes() error {
	if !e.tokenVolume {
		return nil
	}
	volumes := e.pod.at("volumes")
	for _, v := range volumes.items() {
		if v.at("name").text() == tokenVolume {
			return nil
		}
	}
	e.notef("its pods mount no token, so the sidecar alone gets one, from the volume %s", tokenVolume)
	return volumes.add(token(), "")
}

// changeRoll makes a roll wait until a new pod can have been elected. The first
// election takes a whole --ttl, as there is no lock that tells who led before;
// a roll that goes on meanwhile would end the pods that serve.
func (e *election) changeRoll() error {
	spec := e.w.root().at("spec")
	if e.route == Readiness {
		if spec.at("strategy", "type").text() == "Recreate" {
			return nil
		}
		want := fields{{"rollingUpdate", fields{{"maxSurge", 0}, {"maxUnavailable", 1}}}}
		switch s := spec.at("strategy"); {
		case same(want, s.value()):
			return nil
		case s.is():
			return s.become(want)
		}
		return spec.set("strategy", want, "template")
	}
	ready := int(e.ttl.Seconds()) + 5
	if e.o.MinReadySeconds != nil {
		ready = *e.o.MinReadySeconds
	}
	there := spec.at("minReadySeconds")
	now, set := there.value().(int)
	switch {
	case e.o.MinReadySeconds == nil && (e.there != nil || now > 0): // what is there was decided before
		return nil
	case set && now == ready || !set && ready == 0:
		return nil
	case there.is():
		return there.become(ready)
	}
	return spec.set("minReadySeconds", ready, "template")
}

// warn tells what is not changed and should be known.
func (e *election) warn() {
	spec := e.w.root().at("spec")
	replicas, ok := spec.at("replicas").value().(int)
	if !ok {
		replicas = 1
	}
	if replicas < 2 {
		e.notef("it has %d replica, so nobody stands by; set spec.replicas to 2", replicas)
	}
	strategy := spec.at("strategy")
	switch {
	case strategy.at("type").text() == "Recreate":
		e.notef("with the strategy Recreate each roll ends all pods before the first new one starts; RollingUpdate hands over without a gap")
	case e.route != Readiness && e.w.kind == "Deployment" && tooEager(strategy.at("rollingUpdate", "maxUnavailable").value(), replicas):
		e.notef("its maxUnavailable lets a roll end a pod before a new one can take over; set spec.strategy.rollingUpdate to maxSurge: 1, maxUnavailable: 0")
	}
	if !e.pod.at("topologySpreadConstraints").is() && !e.pod.at("affinity").is() {
		e.notef("nothing keeps its pods on different nodes; add topologySpreadConstraints, as deploy/workload/deployment.yaml has them")
	}
	if n, ok := e.pod.at("terminationGracePeriodSeconds").value().(int); ok && n < 12 && e.handsOver() {
		e.notef("its terminationGracePeriodSeconds of %d is short: a hand-over may take 10 s", n)
	}
}

// tooEager says whether a maxUnavailable, a number or a share, is above zero;
// left out it is 25%, rounded down.
func tooEager(v any, replicas int) bool {
	switch v := v.(type) {
	case int:
		return v > 0
	case string:
		share := 0
		if _, err := fmt.Sscanf(strings.TrimSuffix(v, "%"), "%d", &share); err == nil {
			return share*replicas >= 100
		}
	}
	return replicas >= 4
}
