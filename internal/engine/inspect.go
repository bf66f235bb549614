package engine

// Intact says whether the record carries our seal and nothing has been changed
// since (law 2), for those who look at a lock without taking part.
func (r *Record) Intact() bool { return r.sealed() }

// Foreign says whether somebody holds the lock who is not one of ours.
func (r *Record) Foreign() bool { return r.foreign() }
