package candidate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/leader-elector/leader-elector/kubectl-leader/cluster"
)

// Status is what a candidate says of itself: the body of its /status, as far as
// it is of use here.
type Status struct {
	Version         string     `json:"version"`
	Election        string     `json:"election"`
	Namespace       string     `json:"namespace"`
	Lock            string     `json:"lock"`
	Identity        string     `json:"identity"`
	Leader          string     `json:"leader"`
	IsLeader        bool       `json:"isLeader"`
	Term            *string    `json:"term"`
	Since           *time.Time `json:"since"`
	ValidForSeconds float64    `json:"validForSeconds"`
	Health          struct {
		Fit    bool   `json:"fit"`
		Reason string `json:"reason"`
	} `json:"health"`
	Routing *struct {
		Route     string `json:"route"`
		Service   string `json:"service"`
		LastError string `json:"lastError"`
	} `json:"routing"`
	Paused        bool   `json:"paused"`
	HolderExpired bool   `json:"holderExpired"`
	Ready         bool   `json:"ready"`
	CanTakeOver   bool   `json:"canTakeOver"`
	Watching      bool   `json:"watching"`
	Waiting       string `json:"waiting"`
	LastError     string `json:"lastError"`
}

// Limits of a question: a candidate that does not answer keeps nobody waiting.
const (
	askWithin = 4 * time.Second
	maxBody   = 1 << 20
)

// ErrOld is told of a candidate that answers as leader-elector:0.5 does: it
// says who leads, and nothing of itself.
var ErrOld = errors.New("it is leader-elector:0.5, which says nothing of itself")

// Ask asks all candidates at the same time.
func Ask(ctx context.Context, c *cluster.Client, all []*Candidate) {
	var work sync.WaitGroup
	for _, k := range all {
		work.Go(func() { k.Answer, k.Err = k.ask(ctx, c) })
	}
	work.Wait()
}

func (k *Candidate) ask(ctx context.Context, c *cluster.Client) (*Status, error) {
	if k.Port == 0 {
		return nil, fmt.Errorf("it answers nobody: its flag --http is %q; --port says where to ask", k.Settings["http"])
	}
	if why := k.notRunning(); why != "" {
		return nil, errors.New(why)
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	body, err := c.Core.Pods(k.Pod.Namespace).ProxyGet("http", k.Pod.Name, strconv.Itoa(k.Port), "status", nil).Stream(ctx)
	if err != nil {
		return nil, k.unanswered(ctx, err)
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, maxBody))
	if err != nil {
		return nil, k.unanswered(ctx, err)
	}
	return k.read(data)
}

// unanswered says why there is no answer, and what may be in the way.
func (k *Candidate) unanswered(ctx context.Context, err error) error {
	switch {
	case apierrors.IsForbidden(err):
		return cluster.Need{Verb: "get", Resource: "pods/proxy", Namespace: k.Pod.Namespace}.Explain(err)
	case apierrors.IsNotFound(err):
		return errors.New("the pod is gone, or what answers is no leader-elector")
	case ctx.Err() != nil:
		return fmt.Errorf("no answer on port %d within %v", k.Port, askWithin)
	}
	return fmt.Errorf("no answer on port %d: %s (--port says where to ask; a NetworkPolicy may keep the API server out)", k.Port, strings.TrimSpace(err.Error()))
}

// read reads an answer, and refuses one of another program or election.
func (k *Candidate) read(data []byte) (*Status, error) {
	var old struct {
		Name *string `json:"name"`
	}
	s := &Status{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("what answers on port %d is no leader-elector: %w", k.Port, err)
	}
	if s.Identity == "" || s.Election == "" {
		if json.Unmarshal(data, &old) == nil && old.Name != nil {
			return nil, ErrOld
		}
		return nil, fmt.Errorf("what answers on port %d is no leader-elector", k.Port)
	}
	return s, nil
}
