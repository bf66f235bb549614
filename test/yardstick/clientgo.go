package yardstick

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// What counts as acting. Of client-go's app all are read in one run, since
// client-go does not wait for it.
const (
	ByContext = "context"          // from OnStartedLeading until its context ends, in no time
	BySlowApp = "slow app"         // the same, and the app needs slowness to stop
	ByStopped = "OnStoppedLeading" // from OnStartedLeading until OnStoppedLeading
	ByAsking  = "asking"           // IsLeader or Leads says so, all asked at one instant, every poll
)

const (
	slowness = time.Second
	poll     = 50 * time.Millisecond
)

// The timings of both: client-go's defaults, and kube-controller-manager's.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second
)

// ClientGo is client-go's LeaderElector over its LeaseLock. With a time-out it
// is made as kube-controller-manager makes it, by NewFromKubeconfig, which bounds
// each request by half of the renew deadline; without, as a plain rest.Config does,
// by nothing but the renew deadline itself.
func ClientGo(name string, release, timeout bool) Kind {
	return Kind{Name: name, Run: func(ctx context.Context, p *Process) {
		lock, err := p.lock(timeout)
		if err != nil {
			panic("yardstick: " + err.Error())
		}
		ctx, cancel := context.WithCancel(klog.NewContext(ctx, logr.Discard()))
		defer cancel()
		stopped := make(chan struct{})
		le, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: lock, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod, ReleaseOnCancel: release,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(ctx context.Context) {
					select {
					case <-stopped: // it is called in a goroutine of its own
						return
					default:
					}
					p.acts(ByContext, true)
					p.acts(BySlowApp, true)
					p.acts(ByStopped, true)
					<-ctx.Done()
					p.acts(ByContext, false)
					p.finish(func() { p.acts(BySlowApp, false) })
				},
				OnStoppedLeading: func() {
					close(stopped)
					p.acts(ByStopped, false)
				},
			},
		})
		if err != nil {
			panic("yardstick: " + err.Error())
		}
		p.asks(le.IsLeader)
		le.Run(ctx)
	}}
}

// lock is client-go's own.
func (p *Process) lock(timeout bool) (resourcelock.Interface, error) {
	cfg := &rest.Config{Host: "http://apiserver.test", Transport: p.link}
	identity := resourcelock.ResourceLockConfig{Identity: p.ID}
	if timeout {
		return resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, namespace, election, identity, cfg, renewDeadline)
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	return &resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Name: election, Namespace: namespace}, Client: client.CoordinationV1(), LockConfig: identity,
	}, nil
}

// finish does something once a slow app has stopped, unless it crashes before.
func (p *Process) finish(then func()) {
	t := time.NewTimer(slowness)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.gone:
	}
	then()
}
