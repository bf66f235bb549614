package sim

import (
	"slices"
	"testing"
	"time"
)

// TestFound plays what the simulation once found in the engine, shrunk to the
// faults that it needed. Each broke an invariant until the engine was mended.
func TestFound(t *testing.T) {
	for _, f := range []struct {
		name, mix string
		plan      Plan
	}{
		{name: "an old copy of a release was taken for one", mix: "old copies", plan: Plan{Seed: 1, Pods: 2, TTL: 7 * time.Second, Faults: []Fault{
			{At: 69193914902, Kind: Stop, Who: 1, For: 511234, N: 60896},
			{At: 70478836612, Kind: LoseRequest, Who: leader, N: 53808},
			{At: 71024375346, Kind: LoseRequest, Who: leader, N: 17769},
			{At: 77262755149, Kind: RollBack, Who: leader, N: 50778},
		}}},
		{name: "a predecessor's lead was released by who never led", mix: "crashes", plan: Plan{Seed: 1485, Pods: 3, TTL: 12 * time.Second, Faults: []Fault{
			{At: 10485108619, Kind: Unfit, Who: 1, For: 927979, N: 37},
			{At: 11416441387, Kind: CrashAlone, Who: leader, For: 469058754, N: 62275},
			{At: 23845026124, Kind: CrashAlone, Who: leader, For: 804105, N: 27530},
			{At: 26108077525, Kind: CrashAlone, Who: leader, For: 549513, N: 55850},
			{At: 27480574765, Kind: Stop, Who: 0, For: 572860, N: 27019},
			{At: 30799030629, Kind: Unfit, Who: leader, For: 1831054, N: 41417},
			{At: 35887324658, Kind: CrashAlone, Who: leader, For: 4141947430, N: 3846},
			{At: 46449976909, Kind: CrashAlone, Who: 1, For: 8415238630, N: 13578},
			{At: 56892093863, Kind: CrashAlone, Who: leader, For: 1585329086, N: 3514},
			{At: 58485256636, Kind: Unfit, Who: 1, For: 14648437, N: 65115},
		}}},
		{name: "older news of a higher term was not heard", mix: "old copies", plan: Plan{Seed: 8729, Pods: 2, TTL: 9 * time.Second, Faults: []Fault{
			{At: 30068766077, Kind: Stop, Who: leader, For: 569871, N: 21230},
			{At: 46198080328, Kind: Freeze, Who: leader, For: 6528101435, N: 50908},
			{At: 50470431288, Kind: Freeze, Who: leader, For: 6061642691, N: 44694},
			{At: 54292710964, Kind: Freeze, Who: 1, For: 2644954328, N: 54365},
			{At: 55950804484, Kind: RollBack, Who: 1, N: 54829},
		}}},
		{name: "the longer lease in older news was not heard", mix: "beside client-go", plan: Plan{Seed: 15908, Pods: 3, TTL: 4 * time.Second, Faults: []Fault{
			{At: 3579465505, Kind: Stop, Who: leader, For: 680378, N: 4677},
			{At: 37052024629, Kind: Stop, Who: 1, For: 1986915274, N: 52059},
			{At: 37593442548, Kind: LoseRequest, Who: 0, N: 8436},
			{At: 38303075468, Kind: Freeze, Who: leader, For: 15000000000, N: 34630},
			{At: 49229631600, Kind: Freeze, Who: leader, For: 5730938917, N: 29757},
			{At: 53001858652, Kind: Stop, Who: 1, For: 119616316, N: 58588},
			{At: 55377063163, Kind: ForeignCut, Who: leader, For: 3600650187, N: 62398},
			{At: 65644886463, Kind: ForeignEnd, Who: leader, For: 365194153, N: 61525},
			{At: 70935224660, Kind: ForeignEnd, Who: leader, For: 2436061039, N: 52189},
			{At: 82420738578, Kind: ForeignEnd, Who: 1, For: 1813494128, N: 45687},
			{At: 90057391297, Kind: Stop, Who: 0, For: 876839450, N: 60539},
			{At: 94293906238, Kind: Stop, Who: 0, For: 2676002820, N: 14323},
			{At: 95463598940, Kind: ForeignEnd, Who: 0, For: 7705570866, N: 25457},
			{At: 113170583043, Kind: ForeignFreeze, Who: 0, For: 10556827602, N: 33334},
			{At: 115467153095, Kind: Stop, Who: 0, For: 8257605970, N: 15042},
		}}},
	} {
		t.Run(f.name, func(t *testing.T) {
			f.plan.Mix = Mixes[slices.IndexFunc(Mixes, func(m Mix) bool { return m.Name == f.mix })]
			if r := f.plan.Play(false); r.Violation != "" {
				t.Error(r.Violation)
			}
		})
	}
}
