package sim

// mutants are the laws that are broken, one at a time. Those with world set
// are what the protocol stands on: without them two leaders appear.
var mutants = []mutant{
	{name: "a 200 that shows another write counts", law: "1", edits: []edit{
		{"answer.go", "if !m.shows(f, &rec) {", "if false {"},
		{"learn.go", "w, known := m.writes[rec.Seal.Nonce]", "w, known := m.writes[m.anyNonce()]"},
		{"learn.go", "// judge draws", "func (m *Machine) anyNonce() string {\n\tfor n := range m.writes {\n\t\treturn n\n\t}\n\treturn \"\"\n}\n\n// judge draws"},
	}},
	{name: "an unknown outcome is a success", law: "1, 6", world: true, edits: []edit{
		{"answer.go", "\tdefault:\n\t\tif !f.isRead {", `	default:
		if w, ok := m.writes[f.nonce]; ok && w.acquire && !m.leading {
			m.begin(w.term, Trust{Sent: w.sent, Length: m.cfg.TTL - m.cfg.Margin, Margin: m.cfg.Margin})
		}
		if !f.isRead {`},
		{"machine.go", "\tcase m.leading:\n\t\tm.lead()", "\tcase m.leading && !m.mine(&m.lock.rec):\n\tcase m.leading:\n\t\tm.lead()"},
	}},
	{name: "an unconfirmed renewal extends trust", law: "6", world: true, edits: []edit{
		{"answer.go", "\tdefault:\n\t\tif !f.isRead {", `	default:
		if w, ok := m.writes[f.nonce]; ok && m.leading {
			m.trust.Sent = w.sent
		}
		if !f.isRead {`},
	}},
	{name: "no seal: our annotation always counts", law: "2", world: true, edits: []edit{
		{"record.go", ` &&
		s.Lock == r.UID && s.Holder == r.Holder && s.Duration == r.Duration &&
		s.Acquired.Equal(r.Acquired) && s.Renewed.Equal(r.Renewed) &&
		s.Transitions == r.Transitions`, ``},
	}},
	{name: "nonces repeat", law: "2", edits: []edit{{"machine.go", "\tm.nonces++\n", "\tm.nonces = m.nonces%3 + 1\n"}}},
	{name: "trust counts from arrival", law: "3", world: true, edits: []edit{
		{"learn.go", "trust := Trust{Sent: w.sent,", "trust := Trust{Sent: m.now,"},
	}},
	{name: "no margin", law: "3", world: true, edits: []edit{
		{"learn.go", "Length: m.cfg.TTL - m.cfg.Margin,", "Length: m.cfg.TTL,"},
	}},
	{name: "a standby waits for 0.9 D", law: "4", edits: []edit{
		{"campaign.go", "\t\treturn rec.Duration\n", "\t\treturn rec.Duration * 9 / 10\n"},
	}},
	{name: "a standby waits for 0.8 D", law: "4", world: true, edits: []edit{
		{"campaign.go", "\t\treturn rec.Duration\n", "\t\treturn rec.Duration * 8 / 10\n"},
	}},
	{name: "expiry comes from the record's timestamps", law: "4", world: true, edits: []edit{
		{"campaign.go", "\tdefault:\n\t\treturn k.since + m.patience(rec)\n", "\tdefault:\n\t\treturn min(k.since+m.patience(rec), m.now.Boot+rec.Renewed.Add(m.patience(rec)).Sub(m.now.Wall))\n"},
	}},
	{name: "an unsealed record's own D counts", law: "4", world: true, edits: []edit{
		{"campaign.go", "if rec.sealed() && rec.Holder != \"\" && rec.Duration > 0 {", "if rec.Duration > 0 {"},
	}},
	{name: "a new version does not restart patience", law: "4", world: true, edits: []edit{
		{"learn.go", "k.rec, k.since, k.newest = rec, m.now.Boot, rec.Version", `since := m.now.Boot
	if k.rec.Version != 0 && k.rec.Holder == rec.Holder {
		since = k.since
	}
	k.rec, k.since, k.newest = rec, since, rec.Version`},
	}},
	{name: "after a conflict it swaps on what it reads", law: "4", world: true, edits: []edit{
		{"learn.go", "k.rec, k.since, k.newest = rec, m.now.Boot, rec.Version", `since := m.now.Boot
	if m.rebuffs > 0 {
		since = k.since
	}
	k.rec, k.since, k.newest = rec, since, rec.Version`},
	}},
	{name: "a conflict is not read", law: "4", edits: []edit{
		{"answer.go", "\tm.failures, m.quiet = 0, 0\n\tm.rebuffed()\n", "\tm.failures, m.quiet = 0, 0\n\tm.rebuffed()\n\tm.mustRead = false\n"},
	}},
	{name: "a foreign holder gets no 7 s more", law: "4, 17", edits: []edit{
		{"campaign.go", "return m.lock.longest + ForeignSlack", "return m.lock.longest"},
	}},
	{name: "any empty record is free", law: "5", world: true, edits: []edit{
		{"campaign.go", "case m.mine(rec), m.predecessor(rec), m.firstInstall(rec):", "case m.mine(rec), m.predecessor(rec), m.firstInstall(rec), rec.Holder == \"\" && !rec.released():"},
	}},
	{name: "an unknown outcome is not read", law: "6", edits: []edit{
		{"answer.go", "\tdefault:\n\t\tif !f.isRead {\n\t\t\tm.rebuffed()", "\tdefault:\n\t\tif false {\n\t\t\tm.rebuffed()"},
	}},
	{name: "an acquisition of an ended lead is confirmed again", law: "6, 8", edits: []edit{
		{"learn.go", "case !m.leading && w.acquire && !w.stale && trust.Holds(m.now):", "case !m.leading && w.acquire && trust.Holds(m.now):"},
	}},
	{name: "the wall clock is not asked", law: "7", edits: []edit{
		{"trust.go", "return ahead <= t.Margin", "return ahead <= t.Margin || true"},
	}},
	{name: "trust never runs out", law: "7", world: true, edits: []edit{
		{"trust.go", "if t.Length <= 0 || now.Boot >= t.Until() {", "if t.Length <= 0 {"},
	}},
	{name: "who lost the lock leads on until its trust ends", law: "8", edits: []edit{
		{"learn.go", "\tif m.leading {\n\t\tm.end(Lost, m.lossReason(rec))\n\t}\n", ""},
		{"machine.go", "\tcase m.leading:\n\t\tm.lead()", "\tcase m.leading && !m.mine(&m.lock.rec):\n\tcase m.leading:\n\t\tm.lead()"},
	}},
	{name: "a late answer counts", law: "8", edits: []edit{
		{"answer.go", "if f == nil || a.Op != f.op {", "if f == nil {"},
	}},
	{name: "older news is believed", law: "8", edits: []edit{
		{"learn.go", "\tif rec.Version < m.lock.newest {\n", "\tif rec.Version < m.lock.newest && from != fromWatch {\n"},
	}},
	{name: "a list that lags proves a deletion", law: "8", edits: []edit{
		{"learn.go", "\t\tm.mustRead = m.mustRead || m.lock.present\n", "\t\tm.gone(\"the list does not show it\")\n"},
	}},
	{name: "released before the app has stopped", law: "9", world: true, edits: []edit{
		{"lead.go", "\tcase m.app.state == appStopping:\n\t\tif m.orderly", "\tcase m.app.state == appStopping && !m.orderly:\n\t\tif m.orderly"},
	}},
	{name: "released although the stop was not confirmed", law: "9", edits: []edit{
		{"lead.go", "\tcase m.app.state == appUnknown:\n", "\tcase false:\n"},
		{"machine.go", "return m.app.state == appUnknown\n", "return false\n"},
	}},
	{name: "a late confirmation is not heard", law: "9", edits: []edit{
		{"lead.go", "if s.Term != m.app.term || !waiting && m.app.state != appUnknown {", "if s.Term != m.app.term || !waiting {"},
	}},
	{name: "no renewal while the app is stopping", law: "9", edits: []edit{
		{"lead.go", "if m.orderly && m.due(m.renewAt) {", "if false {"},
	}},
	{name: "a release is written over a successor", law: "9", world: true, edits: []edit{
		{"machine.go", "case m.lock.present && m.mine(&m.lock.rec):\n\t\tm.hold()", `case m.lock.present && m.mine(&m.lock.rec):
		m.hold()
	case m.lock.present && m.orderly && m.app.state == appIdle && m.lock.rec.Seal != nil && m.lock.rec.Holder != "":
		m.release()`},
		{"learn.go", "\tm.orderly = false\n\tif rec.leader() != \"\"", "\tif rec.leader() != \"\""},
	}},
	{name: "a tombstone is free", law: "10", world: true, edits: []edit{
		{"campaign.go", "m.firstInstall(rec):\n\t\treturn k.since\n", "rec.tombstone():\n\t\treturn k.since\n"},
	}},
	{name: "my own tombstone is mine", law: "10", world: true, edits: []edit{
		{"campaign.go", "if !m.cfg.Immediate || !m.lock.missing || !rec.tombstone() {", "if !rec.tombstone() {"},
	}},
	{name: "immediate covers a later deletion", law: "10", edits: []edit{
		{"campaign.go", "if !m.cfg.Immediate || !m.lock.missing || !rec.tombstone() {", "if !m.cfg.Immediate || !rec.tombstone() {"},
	}},
	{name: "immediate covers another one's tombstone", law: "10", edits: []edit{
		{"campaign.go", "\treturn ours\n", "\treturn ours || true\n"},
		{"learn.go", "\tif _, ours := m.creates[rec.Tombstone]; !ours || !rec.tombstone() {", "\tif !rec.tombstone() {"},
	}},
	{name: "a tombstone forgets the longest D", law: "10", edits: []edit{
		{"campaign.go", "\t\tDuration:  m.lock.longest,\n", "\t\tDuration:  m.cfg.TTL,\n"},
	}},
	{name: "my name is me", law: "11", world: true, edits: []edit{
		{"learn.go", "r.sealed() && r.Holder == m.cfg.ID && r.Seal.Start == m.cfg.Start", "r.sealed() && r.Holder == m.cfg.ID"},
	}},
	{name: "a predecessor may be of another pod", law: "11", world: true, edits: []edit{
		{"learn.go", "\t\tr.Seal.PodUID == m.cfg.PodUID && r.Seal.Start != m.cfg.Start", "\t\tr.Seal.Start != m.cfg.Start"},
	}},
	{name: "a predecessor without the socket", law: "11", world: true, blind: true, edits: []edit{
		{"sim/candidate.go", "holder == nil || holder == c || !holder.alive {", "true || holder.alive {"},
	}},
	{name: "a term is the transitions' count", law: "12", world: true, edits: []edit{
		{"lead.go", "\tm.seal(&put, Term(old.Version))\n\tm.swap(put, write{term: Term(old.Version), acquire: true})", "\tm.seal(&put, Term(put.Transitions)+1)\n\tm.swap(put, write{term: Term(put.Transitions) + 1, acquire: true})"},
	}},
	{name: "a restored etcd is ignored", law: "12", world: true, edits: []edit{
		{"learn.go", "\t\tm.restore(rec)\n", ""},
	}},
	{name: "after a restore a release is free", law: "12", edits: []edit{
		{"learn.go", "m.restoredTill = m.now.Boot + ", "m.restoredTill = 0 * "},
	}},
	{name: "an old copy counts", law: "12", world: true, edits: []edit{
		{"learn.go", "rec.old = rec.Seal != nil && rec.Seal.Term < k.highest", "rec.old = false"},
	}},
	{name: "older news is not heard", law: "4, 12", edits: []edit{
		{"learn.go", "\t\tm.recall(&rec)\n", ""},
	}},
	{name: "a term above the version is believed", law: "12", edits: []edit{
		{"record.go", "Version(s.Term) < r.Version &&", "true &&"},
	}},
	{name: "who never led releases a predecessor's lead", law: "9, 11", edits: []edit{
		{"lead.go", "if m.predecessor(old) && old.Holder != \"\" {", "if false {"},
	}},
	{name: "the unfit campaign", law: "13", edits: []edit{
		{"lead.go", "return m.unfit == \"\" && !m.stopping && !m.yielding", "return !m.stopping && !m.yielding"},
	}},
	{name: "the unfit lead on", law: "13", edits: []edit{
		{"lead.go", "\t\tif m.leading {\n\t\t\tm.cede(Unfit", "\t\tif false {\n\t\t\tm.cede(Unfit"},
	}},
	{name: "no hold-back", law: "13", edits: []edit{
		{"lead.go", "return m.unfit == \"\" && !m.stopping && !m.yielding", "return m.unfit == \"\" && !m.stopping"},
	}},
	{name: "a hold-back never ends", law: "13", edits: []edit{
		{"machine.go", "if m.yielding && m.now.Boot >= m.heldTill {", "if false {"},
	}},
	{name: "paused, and yet acquired", law: "14", edits: []edit{
		{"campaign.go", "if rec.Paused && !m.predecessor(rec) {", "if rec.Paused && false {"},
	}},
	{name: "paused, and yet released", law: "14", edits: []edit{
		{"lead.go", "case m.willing(), rec.Paused && m.unfit == \"\" && !m.stopping && m.gate == \"\":", "case m.willing():"},
		{"lead.go", "case rec.Paused && !m.stopping:", "case false:"},
	}},
	{name: "an acceptance gives the right", law: "15", world: true, edits: []edit{
		{"campaign.go", "\tcase rec.released():\n", "\tcase rec.Acceptance != nil && rec.Acceptance.By == m.cfg.ID:\n\t\treturn k.since\n\tcase rec.released():\n"},
	}},
	{name: "an acceptance breaks the seal", law: "15", edits: []edit{
		{"record.go", "return s != nil && !r.old && r.Malformed", "return s != nil && !r.old && r.Acceptance == nil && r.Malformed"},
	}},
	{name: "others do not hold off for the acceptor", law: "15", edits: []edit{
		{"campaign.go", "return k.since + acceptorFirst", "return k.since"},
	}},
	{name: "an offer of a broken seal is accepted", law: "15", edits: []edit{
		{"offer.go", "if m.restored() || !rec.sealed() || rec.Holder", "if m.restored() || rec.Seal == nil || rec.Holder"},
	}},
	{name: "an offer is accepted while paused", law: "15", edits: []edit{
		{"offer.go", "|| rec.Paused || rec.Acceptance != nil {", "|| rec.Acceptance != nil {"},
		{"campaign.go", "if rec.Paused && !m.predecessor(rec) {", "if rec.Paused && !m.predecessor(rec) && !m.answerable() {"},
	}},
	{name: "an offer is accepted twice", law: "15", edits: []edit{
		{"offer.go", "|| rec.Paused || rec.Acceptance != nil {", "|| rec.Paused {"},
	}},
	{name: "an old offer is accepted", law: "15", edits: []edit{
		{"offer.go", "return m.now.Boot < m.lock.offerSince+offerLife", "return true"},
	}},
	{name: "an offer never ends", law: "15", edits: []edit{
		{"offer.go", "|| o.phase == offerWithdrawn || !m.due(o.deadline) {", "|| o.phase == offerWithdrawn || o.phase == offerStanding || !m.due(o.deadline) {"},
	}},
	{name: "a hand-over needs no acceptance", law: "15", edits: []edit{
		{"offer.go", "return rec.accepted() && rec.Seal.Offer.Nonce == o.nonce", "return rec.Seal.Offer != nil && rec.Seal.Offer.Nonce == o.nonce"},
		{"lead.go", "\tif m.offer != nil && m.accepted() {\n\t\tm.heir = m.lock.rec.Acceptance.By\n\t}\n", ""},
		{"offer.go", "\"handed over to \"+rec.Acceptance.By", "\"handed over\""},
	}},
	{name: "no backoff", law: "16", edits: []edit{
		{"answer.go", "m.quiet = m.now.Boot + max(wait, min(after, limit))", "m.quiet = m.now.Boot + 0*max(wait, min(after, limit))"},
	}},
	{name: "a Retry-After has no cap", law: "16", edits: []edit{
		{"answer.go", "max(wait, min(after, limit))", "max(wait, after, 0*limit)"},
	}},
	{name: "the renew time is the wall clock's", law: "17", edits: []edit{
		{"lead.go", "if wall.After(next) || next.Year() > 9000 {", "if !wall.IsZero() || next.IsZero() {"},
	}},
	{name: "a renewal under way proves the lead", law: "proof", edits: []edit{
		{"proof.go", "if w.op <= p.after {", "if false {"},
	}},
	{name: "whoever has lost the lead leaves the question open", law: "proof", edits: []edit{
		{"lead.go", "\tm.refuteAll()\n", ""},
	}},
	// Chance does not find it in 60,000 rolls: an Endpoints must be lost to 0.5, in
	// the short while in which both are there.
	{name: "two locks: one is enough", law: "18", edits: []edit{
		{"pair.go", "if !ok1 || !ok2 || !p.leading {", "if ok1 = true; !ok1 || !ok2 || !p.leading {"},
		{"pair.go", "case !a.leading && b.gate == \"\":", "case false:"},
	}},
	{name: "two locks: trust is the greater", law: "18", edits: []edit{
		{"pair.go", "if a.Until() < b.Until() {", "if a.Until() > b.Until() {"},
	}},
	{name: "two locks: the Lease needs no Endpoints", law: "18", edits: []edit{
		{"pair.go", "p.first.gate, p.second.gate = needsSecond, needsFirst", "p.first.gate, p.second.gate = needsSecond, \"\""},
		{"pair.go", "case !a.leading && b.gate == \"\":", "case false:"},
	}},
	{name: "two locks: who lost the Endpoints keeps the Lease", law: "18", world: true, edits: []edit{
		{"pair.go", "case !a.leading && b.gate == \"\":", "case false:"},
	}},
	{name: "two locks: who lost the Lease keeps the Endpoints", law: "18", edits: []edit{
		{"pair.go", "case p.fell && a.leading:", "case false:"},
	}},
	{name: "two locks: the Endpoints are released first", law: "18", world: true, edits: []edit{
		{"pair.go", "switch over := b.relinquished(p.now); {", "switch over := true; {"},
	}},
	{name: "two locks: the term is the Endpoints'", law: "18", edits: []edit{
		{"pair.go", "\tterm, b, ok2 := p.second.Leads(now)", "\t_, b, ok2 := p.second.Leads(now)"},
		{"pair.go", "\t_, a, ok1 := p.first.Leads(now)", "\tterm, a, ok1 := p.first.Leads(now)"},
		{"pair.go", "Lead{Term: b.term,", "Lead{Term: a.term,"},
	}},
	{name: "two locks: a missing Lease is buried late", law: "18", world: true, edits: []edit{
		{"campaign.go", "if m.gate != \"\" && !m.lock.present &&", "if false && m.gate != \"\" && !m.lock.present &&"},
	}},
	{name: "two locks: the Endpoints are held in vain", law: "18", edits: []edit{
		{"pair.go", "case p.blocked() && p.now.Boot >= p.stuckTill:", "case p.blocked() && false:"},
	}},
	{name: "two locks: one proof is enough", law: "18", edits: []edit{
		{"pair.go", "p.proofs[e.ID] = 2", "p.proofs[e.ID] = 1"},
	}},
}
