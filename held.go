package elector

import (
	"context"
	"sync"
	"time"
)

// BootTime is the clock on which leads are counted: CLOCK_BOOTTIME on Linux,
// which every process of a machine shares and which goes on during a suspend.
func BootTime() time.Duration { return bootTime() }

// Trusted says, of the lead whose context ctx is (or is made from), until when
// on BootTime its leader may act without another renewal. The channel is closed
// when that has moved on. Nothing moves after ctx is done: what was promised
// last still holds. For a context without a lead the instant is zero and the
// channel nil.
func Trusted(ctx context.Context) (until time.Duration, moved <-chan struct{}) {
	l, ok := ctx.Value(leadKey{}).(*leadership)
	if !ok {
		return 0, nil
	}
	return l.trust.now()
}

// GiveUp gives up the lead whose context ctx is (or is made from), as when its
// work has ended, so that others go first; where nobody else comes, this
// candidate leads again after about two seconds. why may be nil. It does
// nothing when the lead has ended already.
func GiveUp(ctx context.Context, why error) {
	if l, ok := ctx.Value(leadKey{}).(*leadership); ok && ctx.Err() == nil {
		l.giveUp(why)
	}
}

// leadKey finds, in a leader's context, its lead.
type leadKey struct{}

// held is until when a lead is trusted, for those who must act on that instant
// by themselves, such as the kernel's guard of a child process.
type held struct {
	mu    sync.Mutex
	until time.Duration
	moved chan struct{} // closed at the next move
}

func newHeld(until time.Duration) *held {
	return &held{until: until, moved: make(chan struct{})}
}

func (h *held) now() (time.Duration, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.until, h.moved
}

func (h *held) move(until time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.until = until
	close(h.moved)
	h.moved = make(chan struct{})
}
