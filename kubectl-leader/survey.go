package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/leader-elector/leader-elector/kubectl-leader/candidate"
	"github.com/leader-elector/leader-elector/kubectl-leader/cluster"
	"github.com/leader-elector/leader-elector/kubectl-leader/record"
	"github.com/leader-elector/leader-elector/kubectl-leader/traffic"
)

// podFlags say where an election's pods are, and how to ask them.
type podFlags struct {
	namespace string
	port      int
}

func (p *podFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.namespace, "pods-namespace", "", "`NAMESPACE` of the election's pods (default: the lock's)")
	cmd.Flags().IntVar(&p.port, "port", 0, "`PORT` of the sidecars' HTTP (default: what their containers say, else 4040)")
}

func (p *podFlags) check(cmd *cobra.Command) error {
	if p.port < 0 || p.port > 65535 {
		return usage(cmd, fmt.Errorf("--port=%d is no port", p.port))
	}
	return nil
}

func (p *podFlags) scope(r *record.Record) candidate.Scope {
	s := candidate.Scope{Namespace: p.namespace, Election: r.Name, Port: p.port}
	if s.Namespace == "" {
		s.Namespace = r.Namespace
	}
	return s
}

// survey is all that can be known of an election from outside.
type survey struct {
	record     record.Record
	candidates []*candidate.Candidate
	services   []traffic.Service
	trouble    []error // what could not be read
}

// look reads the lock, asks the candidates, and reads where the traffic goes.
// A lead that moved meanwhile would make a picture of two moments, so it looks
// again until the lock's holder and term were the same before and after.
func look(ctx context.Context, c *cluster.Client, t target, p podFlags) (*survey, error) {
	for range 5 {
		before, err := t.find(ctx, c)
		missing := errors.Is(err, cluster.ErrNoLock)
		if missing {
			// Candidates that were never fit have not made it yet.
			before = record.Record{Kind: t.kinds[0], Namespace: c.Namespace, Name: t.name}
		} else if err != nil {
			return nil, err
		}
		s := &survey{record: before}
		s.read(ctx, c, p)
		if missing && len(s.candidates) == 0 {
			return nil, err
		}
		after, err := c.Get(ctx, before.Kind, before.Namespace, before.Name)
		if missing && errors.Is(err, cluster.ErrNoLock) {
			return s, nil
		}
		if err != nil {
			return nil, err
		}
		s.record = after
		if after.Holder == before.Holder && after.Term() == before.Term() {
			return s, nil
		}
	}
	return nil, errors.New("the lead moves so often that no picture of one moment can be had: look at `kubectl leader list -w`")
}

func (s *survey) read(ctx context.Context, c *cluster.Client, p podFlags) {
	scope := p.scope(&s.record)
	var err error
	if s.candidates, err = candidate.Find(ctx, c, scope); err != nil {
		s.trouble = append(s.trouble, err)
		return
	}
	candidate.Ask(ctx, c, s.candidates)
	if s.services, err = traffic.Find(ctx, c, scope.Namespace, s.candidates); err != nil {
		s.trouble = append(s.trouble, err)
	}
}

// leader is the candidate that the lock names; nil: it names none of them.
func (s *survey) leader() *candidate.Candidate {
	for _, k := range s.candidates {
		if k.Name() == s.record.Leader() && s.record.Leader() != "" {
			return k
		}
	}
	return nil
}
