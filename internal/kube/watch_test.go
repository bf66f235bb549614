package kube

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAWatchListsFirstAndThenFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := play(t, lists(9, 5, func(w http.ResponseWriter, r *http.Request) {
			event(w, "MODIFIED", 10)
			event(w, "DELETED", 11)
			event(w, "ADDED", 12)
			stand(w, r)
		}))
		n := watching(t, c)
		n.expect(t, "listed 5, up, changed 10, deleted 11, changed 12")
		q := p.asked[1]
		if q.Get("fieldSelector") != "metadata.name=station" || q.Get("allowWatchBookmarks") != "true" {
			t.Errorf("the watch asks %v", q)
		}
		if s := q.Get("timeoutSeconds"); len(s) != 3 || s < "300" || s > "600" {
			t.Errorf("for %s seconds", s)
		}
	})
}

func TestAListWithoutTheObjectSaysMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := play(t, lists(9, 0, stand))
		watching(t, c).expect(t, "missing, up")
	})
}

func TestASilentWatchIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := play(t, lists(9, 5, stand))
		n := watching(t, c)
		n.expect(t, "listed 5, up")
		time.Sleep(silence - time.Millisecond)
		n.expect(t, "")
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if err := n.last().Err; !strings.Contains(err.Error(), "brought nothing for 1m30s") {
			t.Error(err)
		}
		time.Sleep(time.Second)
		n.expect(t, "failed, up")
		if got := p.requests(); got != "list, watch from 9, watch from 9" {
			t.Error(got)
		}
		if p.connections() != 2 {
			t.Errorf("%d connections, want a fresh one", p.connections())
		}
	})
}

func TestABookmarkIsLifeAndMovesThePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := play(t, lists(9, 5, func(w http.ResponseWriter, r *http.Request) {
			for i := range 10 {
				pause(w, r, time.Minute)
				event(w, "BOOKMARK", 100+i)
			}
		}))
		n := watching(t, c)
		time.Sleep(10*time.Minute + time.Second)
		n.expect(t, "listed 5, up")
		if got := p.requests(); got != "list, watch from 9, watch from 109" {
			t.Error(got)
		}
	})
}

func TestTheEndOfAWatchIsTakenUpAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var watches atomic.Int32
		p, c := play(t, lists(9, 5, func(w http.ResponseWriter, r *http.Request) {
			if watches.Add(1) == 1 {
				pause(w, r, time.Minute)
				event(w, "MODIFIED", 10)
				return
			}
			event(w, "MODIFIED", 10) // again: it must not be news again
			event(w, "MODIFIED", 11)
			stand(w, r)
		}))
		n := watching(t, c)
		time.Sleep(time.Minute)
		n.expect(t, "listed 5, up, changed 10, changed 11")
		if got := p.requests(); got != "list, watch from 9, watch from 10" {
			t.Error(got)
		}
	})
}

func TestAServerThatEndsEveryWatchIsNotHammered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := play(t, lists(9, 5, func(w http.ResponseWriter, r *http.Request) {}))
		watching(t, c)
		time.Sleep(time.Minute)
		if n := strings.Count(p.requests(), "watch"); n < 60 || n > 130 {
			t.Errorf("%d watches in a minute", n)
		}
	})
}

func TestAnExpiredPlaceIsListedAnew(t *testing.T) {
	for name, expire := range map[string]http.HandlerFunc{
		"as the answer": func(w http.ResponseWriter, r *http.Request) { refuse(w, 410, "Expired") },
		"as an event": func(w http.ResponseWriter, r *http.Request) {
			send(w, `{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, c := play(t, lists(9, 5, expire))
				n := watching(t, c)
				synctest.Wait()
				p.becomes(lists(20, 15, stand))
				time.Sleep(time.Second)
				synctest.Wait()
				if got := n.take(); !strings.HasSuffix(strings.TrimSuffix(got, ", up"), "listed 15") || strings.Contains(got, "failed") {
					t.Errorf("the news are %q", got)
				}
				if got := p.requests(); !strings.HasPrefix(got, "list, watch from 9, list") {
					t.Error(got)
				}
			})
		})
	}
}

func TestAServerThatExpiresEveryPlaceIsNotHammered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := play(t, lists(9, 5, func(w http.ResponseWriter, r *http.Request) {
			event(w, "BOOKMARK", 10)
			send(w, `{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}`)
		}))
		watching(t, c)
		time.Sleep(time.Minute)
		if n := strings.Count(p.requests(), "list"); n < 60 || n > 130 {
			t.Errorf("%d lists in a minute", n)
		}
	})
}

func TestWhatCannotBeReadIsAFailureAndLeft(t *testing.T) {
	for name, frame := range map[string]string{
		"no JSON":          `<html>`,
		"half an event":    `{"type":"MODIFIED","object":{"metadata`,
		"no version":       `{"type":"MODIFIED","object":{"metadata":{"name":"station"}}}`,
		"an unknown type":  `{"type":"EXPLODED","object":` + body("u", "10") + `}`,
		"a type of number": `{"type":"MODIFIED","object":{"metadata":{"name":7}}}`,
		"an error":         `{"type":"ERROR","object":{"kind":"Status","code":500,"message":"etcd is ill"}}`,
		"an endless event": `{"type":"MODIFIED","object":{"x":"` + strings.Repeat("x", bodyLimit),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, c := play(t, lists(9, 5, func(w http.ResponseWriter, r *http.Request) { send(w, frame) }))
				n := watching(t, c)
				synctest.Wait()
				if err := n.last().Err; err == nil || !errors.Is(err, ErrUnavailable) {
					t.Errorf("%v", err)
				}
				p.becomes(lists(20, 15, stand))
				time.Sleep(time.Second)
				n.expect(t, "listed 5, up, failed, listed 15, up")
			})
		})
	}
}

func TestRetryAfterIsHonouredUpToTenSeconds(t *testing.T) {
	for _, tc := range []struct {
		code  int
		after string
		wait  time.Duration
	}{{429, "3", 3 * time.Second}, {503, "3", 3 * time.Second}, {429, "3600", 10 * time.Second}, {500, "", 0}} {
		t.Run(fmt.Sprint(tc.code, tc.after), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, c := play(t, lists(9, 5, func(w http.ResponseWriter, r *http.Request) {
					if tc.after != "" {
						w.Header().Set("Retry-After", tc.after)
					}
					refuse(w, tc.code, "")
				}))
				n := watching(t, c)
				n.expect(t, "listed 5, failed")
				p.becomes(lists(20, 15, stand))
				within(t, tc.wait, tc.wait+100*time.Millisecond, "the watch stands", func() bool { return n.take() == "up" })
			})
		})
	}
}

func TestAnOutageIsTriedAboutOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := play(t, func(w http.ResponseWriter, r *http.Request) { refuse(w, 500, "") })
		n := watching(t, c)
		time.Sleep(time.Minute)
		if tries := strings.Count(p.requests(), "list"); tries < 60 || tries > 130 {
			t.Errorf("%d tries in a minute", tries)
		}
		p.becomes(lists(9, 5, stand))
		n.take()
		within(t, 0, time.Second, "the watch stands", func() bool { return strings.HasSuffix(n.take(), "listed 5, up") })
	})
}

func TestAForbiddenWatchIsSaidOnceAndTriedSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := play(t, lists(9, 5, func(w http.ResponseWriter, r *http.Request) { refuse(w, 403, "Forbidden") }))
		n := watching(t, c)
		n.expect(t, "listed 5, forbidden")
		time.Sleep(10 * time.Minute)
		n.expect(t, "")
		if tries := strings.Count(p.requests(), "watch"); tries < 15 || tries > 31 {
			t.Errorf("%d tries in 10 minutes", tries)
		}
		p.becomes(func(w http.ResponseWriter, r *http.Request) { refuse(w, 503, "") })
		time.Sleep(forbiddenRetry)
		p.becomes(lists(9, 5, func(w http.ResponseWriter, r *http.Request) { refuse(w, 403, "Forbidden") }))
		time.Sleep(time.Second)
		synctest.Wait()
		if got := n.take(); !strings.HasSuffix(got, "failed, forbidden") {
			t.Errorf("after another trouble, the news are %q", got)
		}
		p.becomes(lists(9, 5, stand))
		within(t, 0, forbiddenRetry, "a mended Role is noticed", func() bool { return n.take() == "up" })
	})
}

func TestRewatchGoesOnWhereTheWatchWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := play(t, lists(9, 5, func(w http.ResponseWriter, r *http.Request) {
			event(w, "MODIFIED", 10)
			stand(w, r)
		}))
		n := watching(t, c)
		n.expect(t, "listed 5, up, changed 10")
		c.Rewatch()
		n.expect(t, "") // at once, and it is no failure
		if got := p.requests(); got != "list, watch from 9, watch from 10" {
			t.Error(got)
		}
		if p.connections() != 2 {
			t.Errorf("%d connections, want a fresh one", p.connections())
		}
	})
}

func TestRewatchOfAWatchThatBroughtNothingLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := play(t, lists(9, 5, stand))
		n := watching(t, c)
		synctest.Wait()
		p.becomes(lists(7, 4, stand)) // etcd was restored: 9 is in the future
		c.Rewatch()
		n.expect(t, "listed 5, up, listed 4")
		if got := p.requests(); got != "list, watch from 9, list, watch from 7" {
			t.Error(got)
		}
	})
}

func TestRewatchFreesAListThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := play(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		n := watching(t, c)
		synctest.Wait()
		p.becomes(lists(9, 5, stand))
		c.Rewatch()
		n.expect(t, "listed 5, up")
	})
}

func TestAWatchThatIsNotAnsweredIsTriedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := play(t, lists(9, 5, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		n := watching(t, c)
		synctest.Wait()
		p.becomes(lists(9, 5, stand))
		time.Sleep(connectWithin + time.Second)
		n.expect(t, "listed 5, failed, up")
	})
}
