package health

import "context"

// Once gives one of Config.Checks to be asked a single time, by whoever looks at
// an installation: the name under which it is shown, and the question, which is
// bounded by its context.
func Once(check string) (name string, ask func(context.Context) error, err error) {
	p, err := parse(check)
	if err != nil {
		return hide(check), nil, err
	}
	return p.name, p.ask, nil
}
