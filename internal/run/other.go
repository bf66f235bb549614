//go:build !linux

package run

import (
	"context"
	"errors"
	"os"

	elector "github.com/leader-elector/leader-elector"
)

// Child exists only on Linux.
type Child struct{}

var errOther = errors.New("run needs Linux: only its kernel can end a command whose parent is frozen; use a Follower or --notify-url")

func New(Config) (*Child, error)                          { return nil, errOther }
func (*Child) Lead(context.Context, elector.Term) error   { return errOther }
func (*Child) Stop(context.Context, elector.Reason) error { return nil }
func (*Child) Signal(os.Signal)                           {}
func (*Child) Code() int                                  { return 0 }
func NeedsInit() bool                                     { return false }
func Init([]string, []string) (int, error)                { return 1, errOther }
