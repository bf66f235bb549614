package listener

import (
	"testing"
	"time"
)

var begin = time.Unix(1000, 0)

// at is a record of a question that was sent and answered so many milliseconds
// after the beginning.
func at(sent, done int, pod string) Record {
	return Record{Sent: begin.Add(ms(sent)), Done: begin.Add(ms(done)), Pod: pod}
}

func failed(sent, done int) Record {
	r := at(sent, done, "")
	r.Error = "timeout"
	return r
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func TestSilenceIsBetweenTwoAnswers(t *testing.T) {
	h := Hear([]Record{at(-20, -19, "a"), at(0, 1, "a"), failed(20, 1020), failed(40, 1040), at(1500, 1501, "b")},
		begin, begin.Add(ms(1600)))
	if h.Silence != ms(1500) || h.Lasting {
		t.Errorf("silence %v, lasting %v", h.Silence, h.Lasting)
	}
	if h.Failed != 2 || h.Requests != 4 || h.Unstable != ms(20) {
		t.Errorf("%d of %d failed in %v", h.Failed, h.Requests, h.Unstable)
	}
	if h.Switches != 1 || h.Both != 0 {
		t.Errorf("%d switches, both for %v", h.Switches, h.Both)
	}
}

func TestSilenceToTheEndLasts(t *testing.T) {
	h := Hear([]Record{at(0, 1, "a"), failed(20, 1020)}, begin, begin.Add(ms(5001)))
	if h.Silence != ms(5000) || !h.Lasting {
		t.Errorf("silence %v, lasting %v", h.Silence, h.Lasting)
	}
}

func TestTwoPodsThatAnswerInTurnsAreHeard(t *testing.T) {
	h := Hear([]Record{at(0, 1, "a"), at(20, 21, "b"), at(40, 41, "a"), at(60, 61, "b"), at(80, 81, "b")},
		begin, begin.Add(ms(100)))
	if h.Switches != 3 || h.Both != ms(20) {
		t.Errorf("%d switches, both for %v", h.Switches, h.Both)
	}
}

// A pod whose app is killed at once answers nothing after the fault until it is
// back; it is the old one all the same.
func TestWhoAnsweredBeforeTheFaultIsTheOldPod(t *testing.T) {
	h := Hear([]Record{at(-20, -19, "a"), failed(0, 1), at(20, 21, "b"), at(40, 41, "a"), at(60, 61, "b"), at(80, 81, "b")},
		begin, begin.Add(ms(100)))
	if h.Both != ms(20) || h.Stray != 1 || h.Switches != 3 {
		t.Errorf("both for %v, %d astray, %d switches", h.Both, h.Stray, h.Switches)
	}
}

func TestAnAnswerThatWasUnderWayIsNoSecondPod(t *testing.T) {
	h := Hear([]Record{at(0, 1, "a"), at(10, 30, "a"), at(20, 21, "b"), at(40, 41, "b")}, begin, begin.Add(ms(100)))
	if h.Both != 0 {
		t.Errorf("both for %v", h.Both)
	}
}

func TestALateSingleFailureIsNotHeavy(t *testing.T) {
	var records []Record
	for i := 0; i < 10000; i += 20 {
		if i < 1000 || i == 9000 {
			records = append(records, failed(i, i+1))
		} else {
			records = append(records, at(i, i+1, "b"))
		}
	}
	h := Hear(records, begin, begin.Add(ms(10001)))
	if h.Heavy != time.Second || h.Unstable != ms(9000) {
		t.Errorf("heavy for %v, unstable for %v", h.Heavy, h.Unstable)
	}
}

func TestWhatMissesTheNewPodIsAstray(t *testing.T) {
	h := Hear([]Record{at(0, 1, "a"), failed(10, 1010), at(20, 21, "b"), failed(500, 501), at(700, 701, "a"), at(800, 801, "b")},
		begin, begin.Add(ms(2000)))
	if h.Stray != 2 || h.Astray != ms(679) {
		t.Errorf("%d astray, the last after %v", h.Stray, h.Astray)
	}
	if h := Hear([]Record{at(0, 1, "a"), failed(10, 1010), failed(20, 21), at(30, 31, "b"), at(40, 41, "b")}, begin, begin.Add(ms(2000))); h.Stray != 0 {
		t.Errorf("%d astray after a clean change", h.Stray)
	}
}

func TestTheFateOfTheStream(t *testing.T) {
	stream := func(r Record, n int) Record { r.Stream = n; return r }
	for want, records := range map[string][]Record{
		"stayed":                            {stream(at(0, 1, "a"), 1), stream(at(9900, 9901, "a"), 1)},
		"closed after 0.5 s":                {stream(at(0, 1, "a"), 1), stream(failed(100, 500), 1), stream(at(600, 601, "b"), 2)},
		"silent from 0.1 s, never closed":   {stream(at(0, 100, "a"), 1)},
		"silent from the start, not closed": nil,
	} {
		if got := fate(records, begin, begin.Add(ms(10000))); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAStreamThatWakesAfterTheEndWasSilent(t *testing.T) {
	late := at(50, 12000, "a")
	late.Stream = 1
	if h := Hear([]Record{late}, begin, begin.Add(ms(10000))); h.Stream != "silent from the start, not closed" {
		t.Error(h.Stream)
	}
}

func leads(sent, done int, pod string) Record {
	r := at(sent, done, pod)
	r.Leads = true
	return r
}

func TestALeadThatMovesIsNotTwo(t *testing.T) {
	l := Reign([]Record{
		leads(0, 1, "a"), at(0, 1, "b"), leads(50, 51, "a"), leads(60, 61, "b"), at(100, 101, "a"), leads(110, 111, "b"),
	}, begin, time.Time{}, "a")
	if l.Two != "" || l.Took != ms(61) {
		t.Errorf("two %q, took %v", l.Two, l.Took)
	}
}

func TestTwoThatLeadAtOnceAreFound(t *testing.T) {
	l := Reign([]Record{leads(0, 1, "a"), leads(20, 21, "b"), leads(50, 51, "a")}, begin, time.Time{}, "a")
	if l.Two == "" {
		t.Error("a led before and after b did, and nobody saw it")
	}
}

func TestAFailureBetweenTwoAnswersIsNoReign(t *testing.T) {
	l := Reign([]Record{leads(0, 1, "a"), failedOf("a", 10, 30), leads(20, 21, "b"), leads(50, 51, "a")}, begin, time.Time{}, "a")
	if l.Two != "" {
		t.Error(l.Two)
	}
}

func failedOf(pod string, sent, done int) Record {
	r := failed(sent, done)
	r.Pod = pod
	return r
}

func TestALapseIsMeasuredAlsoWhenTheLeadComesBack(t *testing.T) {
	l := Reign([]Record{leads(0, 1, "a"), at(50, 51, "a"), leads(3000, 3001, "a")}, begin, begin.Add(ms(2000)), "a")
	if l.Lapsed != ms(3000) || l.Took != 0 || l.Back != ms(1001) {
		t.Errorf("lapsed %v, took %v, back %v", l.Lapsed, l.Took, l.Back)
	}
}
