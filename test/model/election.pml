/*
 * The protocol of internal/engine as a model for spin, small enough to be
 * looked through completely: N candidates, one lock, MAXV versions of it.
 *
 * What is not bounded is left to chance: a request may be lost, or arrive at any
 * later time, also after its sender gave it up or died; its answer may be lost
 * or late, and is no more than the watch tells; the watch may lag and skip; a
 * process may stand still for ever. So the model does more than the engine would
 * (it never waits for an answer, never reads first and never holds off); what it
 * may do safely, the engine may.
 *
 * Time is counted in ticks. A clock is a set of countdowns, so nothing but the
 * number of versions ends a run. With DRIFT a clock may miss one tick in D.
 *
 * Checked: at most one candidate may act, the terms of leads only rise, and
 * trust that ran out does not come back. Each M_... breaks one law, and spin
 * must then find how that goes wrong.
 *
 * What nobody will look at again is cleared, so that states that differ in
 * nothing else are one: that is what CLEAN and the words "dead" are about.
 */
#ifndef N
#define N 2        /* candidates */
#endif
#ifndef MAXV
#define MAXV 5     /* versions of the lock */
#endif
#ifndef SLOTS
#define SLOTS 2    /* requests of one candidate that are under way */
#endif
#ifndef D
#define D 3        /* length of the lease */
#endif
#ifndef MARGIN
#define MARGIN 1
#endif
#ifndef EDITS
#define EDITS 0    /* what others do to the lock: label, empty, edit, delete, roll back */
#endif
#ifndef RESTARTS
#define RESTARTS 0 /* of processes, in their pods */
#endif
#ifndef OFFERS
#define OFFERS 0   /* 1: leaders offer, standbys accept */
#endif
#ifndef TWINS
#define TWINS 0    /* 1: the first two are processes of one pod, with one name */
#endif
#ifndef DRIFT
#define DRIFT 0    /* 1: clocks may be slow by one tick in D */
#endif

/* What a version of the lock says. HELD and RELEASED are sealed. */
#define HELD     1
#define RELEASED 2
#define EMPTIED  3 /* by somebody else: our annotation stands, the seal is broken */
#define EDITED   4 /* by somebody else: a lease of one tick, the seal is broken */
#define ABSENT   5
#define TOMB     6

typedef Record {
  byte kind;
  byte by;    /* the process that sealed it */
  byte inc;   /* its start: which life of that process */
  byte term;
  byte trust; /* what its writer still has of it, by the writer's clock */
  bit acq;    /* an acquisition, of no lead that ended since */
  bit pod;    /* it names the pod: its writer held the pod's socket */
  bit offer;
  byte acc;   /* the acceptor plus one */
  byte count; /* of acquisitions, as leaseTransitions; begins anew with the lock */
}
Record rec[MAXV + 1]; /* every version that ever was; 0 is none */
byte cur = 1;

/* Operations on the lock. A request under way is one; 0 is none. */
#define ACQUIRE 1
#define RENEW   2
#define OFFER   3
#define ACCEPT  4
#define RELEASE 5
#define CREATE  6
typedef Request {
  byte op;
  byte on;    /* the version to replace */
  byte inc;
  byte trust; /* counted since the departure */
  bit acq;
  bit pod;
}
Request req[N * SLOTS];

/* What a process knows and is. */
#define STANDBY   0
#define LEADING   1
#define STOPPING  2 /* 9(a) to 9(c): it answers "not leader", its app may still act */
#define RELEASING 3 /* 9(d) */
typedef Process {
  byte state;
  byte inc;
  byte known;   /* version of the lock; 0: none yet */
  byte patience;
  byte trust;
  byte term;
  bit socket;   /* law 11 */
  byte slow;    /* no tick may be missed for so long */
  byte highest; /* term that it has seen in the lock */
}
Process p[N];
byte edits = EDITS, restarts = RESTARTS;
byte newest; /* the highest term that led */

#define NAME(i) (TWINS && (i) == 1 -> 0 : (i))
#define ACTS(i) ((p[i].state == LEADING || p[i].state == STOPPING) && p[i].trust > 0)
#define R(v) rec[v]
#define Q req[j]

#if N == 2
#define ALLKNOW(v) (p[0].known >= v && p[1].known >= v)
#else
#define ALLKNOW(v) (p[0].known >= v && p[1].known >= v && p[2].known >= v)
#endif

/* Law 12: what shows a lower term than one that was seen is an old copy. */
#ifdef M_OLD_COPY_COUNTS
#define NEW(i, v) true
#else
#define NEW(i, v) (R(v).term >= p[i].highest)
#endif

/* Law 6. */
#ifdef M_NAME_IS_ME
#define MINE(i, v) (R(v).kind == HELD && NAME(R(v).by) == NAME(i) && NEW(i, v))
#else
#define MINE(i, v) (R(v).kind == HELD && R(v).by == i && R(v).inc == p[i].inc && NEW(i, v))
#endif

/* Law 11. */
#ifdef M_NO_SOCKET
#define PREDECESSOR(i, v) (R(v).kind == HELD && NAME(R(v).by) == NAME(i) && NEW(i, v) && !MINE(i, v))
#else
#define PREDECESSOR(i, v) (R(v).kind == HELD && NAME(R(v).by) == NAME(i) && NEW(i, v) && !MINE(i, v) && R(v).pod && p[i].socket)
#endif

/* Law 5. */
#ifdef M_EMPTY_IS_FREE
#define ISFREE(i, v) (R(v).kind == RELEASED && NEW(i, v) || R(v).kind == EMPTIED)
#else
#define ISFREE(i, v) (R(v).kind == RELEASED && NEW(i, v))
#endif

/* Law 15: an acceptance gives no right. */
#ifdef M_ACCEPTANCE_GIVES_THE_RIGHT
#define ACCEPTED(i, v) (R(v).kind == HELD && R(v).acc == i + 1)
#else
#define ACCEPTED(i, v) false
#endif

/* Law 4. */
#ifdef M_SHORT_PATIENCE
#define PATIENCE(v) (D - 2)
#else
#ifdef M_UNSEALED_DURATION
#define PATIENCE(v) (R(v).kind == EDITED -> 1 : D)
#else
#define PATIENCE(v) D
#endif
#endif

#ifdef M_TOMBSTONE_IS_FREE
#define BURIED(v) (R(v).kind == TOMB)
#else
#define BURIED(v) false
#endif

#define MAYACQUIRE(i, v) (R(v).kind != ABSENT && (p[i].patience == 0 || ISFREE(i, v) || MINE(i, v) || PREDECESSOR(i, v) || ACCEPTED(i, v) || BURIED(v)))

/* Law 9: released when the app has stopped, on a version with my seal. */
#ifdef M_RELEASE_BEFORE_STOP
#define MAYRELEASE(i) (p[i].state == STOPPING || p[i].state == RELEASING || p[i].state == STANDBY)
#else
#define MAYRELEASE(i) (p[i].state == RELEASING || p[i].state == STANDBY)
#endif

byte i, j, s, n, v, w;

/* Law 8: nothing that was sent for a lead that ended revives it. */
inline end() {
  p[i].state = STANDBY; p[i].trust = 0; p[i].term = 0;
#ifndef M_ENDED_LEAD_IS_CONFIRMED_AGAIN
  for (n : 1 .. MAXV) {
    if
    :: R(n).by == i && R(n).acq -> R(n).acq = 0
    :: else
    fi
  }
  for (n : 0 .. SLOTS - 1) { req[i * SLOTS + n].acq = 0 }
#endif
  n = 0
}

inline begin(since, length) {
  p[i].state = LEADING; p[i].term = since; p[i].trust = length;
  printf("%d leads, term %d, for %d ticks\n", i, p[i].term, p[i].trust);
  assert(p[i].term > newest); /* law 12 */
  newest = p[i].term
}

/* Process i knows version v, which is newer than what it knew: by an answer to
   its own request, by a read or by the watch. */
inline learn() {
  printf("%d knows version %d\n", i, v);
#ifndef M_LATE_ANSWER_REVIVES
  if
  :: (p[i].state == LEADING || p[i].state == STOPPING) && p[i].trust == 0 -> end()
  :: else
  fi;
#endif
#ifdef M_PATIENCE_GOES_ON
  if
  :: p[i].known == 0 || R(v).kind != HELD || R(p[i].known).kind != HELD || R(v).by != R(p[i].known).by -> p[i].patience = PATIENCE(v)
  :: else
  fi;
#else
  p[i].patience = PATIENCE(v);
#endif
  p[i].known = v;
  if
  :: R(v).term > p[i].highest -> p[i].highest = R(v).term
  :: else
  fi;
  if
  :: MINE(i, v) -> p[i].patience = 0; /* dead: it may swap at once */ confirm()
  :: else ->
     if
     :: p[i].state != STANDBY -> end()
     :: else
     fi;
#ifdef M_CREATED_IS_LEADING
     if
     :: R(v).kind == TOMB && R(v).by == i && v > newest -> begin(v, D - MARGIN)
     :: else
     fi;
#endif
     if
     :: ISFREE(i, v) || R(v).kind == ABSENT -> p[i].patience = 0 /* dead */
     :: else
     fi
  fi
}

/* Laws 1, 3, 6: a version with my seal confirms the write that made it. */
inline confirm() {
#if defined(M_TRUST_FROM_ARRIVAL) || defined(M_NAME_IS_ME)
  w = D - MARGIN;
#else
  w = R(v).trust;
#endif
  if
  :: (p[i].state == LEADING || p[i].state == STOPPING) && p[i].term == R(v).term ->
     if
     :: w > p[i].trust ->
        assert(p[i].trust > 0); /* law 8: what ran out does not come back */
        p[i].trust = w
     :: else
     fi
#ifdef M_NAME_IS_ME
  :: p[i].state == STANDBY && R(v).acq && R(v).term > newest -> begin(R(v).term, w)
#else
  :: p[i].state == STANDBY && R(v).acq && w > 0 ->
#ifdef M_TERM_IS_A_COUNT
     begin(R(v).count, w); p[i].term = R(v).term
#else
     begin(R(v).term, w)
#endif
#endif
  :: else
  fi;
  w = 0
}

/* Process i sends a write on what it knows, in the slot j. */
inline send(what) {
  printf("%d sends operation %d on version %d\n", i, what, p[i].known);
  Q.op = what; Q.on = p[i].known; Q.inc = p[i].inc; Q.pod = p[i].socket; Q.acq = (what == ACQUIRE);
  if
  :: what == ACQUIRE || what == RENEW || what == OFFER -> Q.trust = D - MARGIN
  :: else
  fi;
#ifdef M_UNKNOWN_IS_SUCCESS
  if
  :: (what == RENEW || what == OFFER) && p[i].trust > 0 -> p[i].trust = D - MARGIN
  :: else
  fi
#endif
}

inline forget() { Q.op = 0; Q.on = 0; Q.inc = 0; Q.trust = 0; Q.acq = 0; Q.pod = 0 }

inline clear(x) {
  R(x).kind = 0; R(x).by = 0; R(x).inc = 0; R(x).term = 0; R(x).trust = 0; R(x).acq = 0; R(x).pod = 0; R(x).offer = 0; R(x).acc = 0; R(x).count = 0
}

inline copy(to, from) {
  R(to).kind = R(from).kind; R(to).by = R(from).by; R(to).inc = R(from).inc; R(to).term = R(from).term; R(to).trust = R(from).trust;
  R(to).acq = R(from).acq; R(to).pod = R(from).pod; R(to).offer = R(from).offer; R(to).acc = R(from).acc; R(to).count = R(from).count
}

/* The server stores the request j of process i. */
inline store() {
  cur++;
  printf("version %d: operation %d of process %d, on version %d\n", cur, Q.op, i, Q.on);
  if
  :: Q.op == CREATE -> R(cur).kind = TOMB; R(cur).by = i
  :: Q.op == ACCEPT -> copy(cur, Q.on); R(cur).acc = i + 1 /* the seal byte for byte */
  :: else ->
     R(cur).kind = (Q.op == RELEASE -> RELEASED : HELD);
     R(cur).by = i; R(cur).inc = Q.inc; R(cur).pod = Q.pod; R(cur).trust = Q.trust; R(cur).acq = Q.acq; R(cur).offer = (Q.op == OFFER);
     R(cur).term = (Q.op == ACQUIRE -> Q.on : R(Q.on).term);
     R(cur).count = (Q.op == ACQUIRE -> R(Q.on).count + 1 : R(Q.on).count)
  fi;
  forget()
}

/* CLEAN: requests on an older version can never be stored, and versions that
   everybody knows better will not be looked at. */
inline clean() {
#ifndef M_RELEASE_COVERS_A_SUCCESSOR
#ifndef M_READS_AGAIN_AND_SWAPS
  for (j : 0 .. N * SLOTS - 1) {
    if
    :: Q.op != 0 && Q.op != CREATE && Q.on != cur -> forget()
    :: Q.op == CREATE && R(cur).kind != ABSENT && edits == 0 -> forget()
    :: else
    fi
  }
#endif
  for (n : 1 .. cur - 2) { /* an old copy may be of the last but one */
    if
    :: restarts == 0 && R(n).kind != 0 && ALLKNOW(n + 1) -> clear(n)
    :: else
    fi
  }
#endif
  n = 0; j = 0
}

#ifdef M_RELEASE_COVERS_A_SUCCESSOR
#define FITS (cur == Q.on || Q.op == RELEASE)
#else
#define FITS (cur == Q.on)
#endif
#define STORABLE (Q.op != 0 && cur < MAXV && (Q.op == CREATE -> R(cur).kind == ABSENT : R(cur).kind != ABSENT && FITS))

inline down(x) {
  if
  :: x > 0 -> x--
  :: else
  fi
}

/* One tick of the clock of process i, which is also that of its writes. */
inline ticks() {
  down(p[i].slow); down(p[i].trust);
  if
  :: p[i].known != 0 -> down(p[i].patience)
  :: else
  fi;
  for (n : 0 .. SLOTS - 1) { down(req[i * SLOTS + n].trust) }
  for (n : 1 .. MAXV) {
    if
    :: R(n).by == i -> down(R(n).trust)
    :: else
    fi
  }
  n = 0
}

inline tick() {
  printf("a tick\n");
  for (i : 0 .. N - 1) {
    if
    :: DRIFT && p[i].slow == 0 -> p[i].slow = D; printf("the clock of %d stands\n", i)
    :: true -> ticks()
    fi
  }
}

/* Process i dies, and its pod starts it anew. What it sent stays under way. */
inline restart() {
  printf("%d dies and starts anew\n", i);
  restarts--;
  end();
  p[i].known = 0; p[i].patience = 0; p[i].highest = 0; p[i].inc++;
  for (n : 1 .. MAXV) {
    if
    :: R(n).by == i -> R(n).trust = 0
    :: else
    fi
  }
  for (n : 0 .. SLOTS - 1) { req[i * SLOTS + n].trust = 0 }
  n = 0;
  p[i].socket = !(TWINS && i < 2 && p[1 - i].socket)
}

/* An old copy is known as one by who has seen a newer record. Who has not is
   deceived: that is forgery, which no law prevents. */
inline edit() {
  edits--;
  cur++; copy(cur, cur - 1);
  if
  :: cur > 2 && R(cur - 2).kind != ABSENT && R(cur - 2).kind != 0 && ALLKNOW(cur - 1) -> copy(cur, cur - 2) /* an old copy, sealed as it was */
  :: true                          /* a label: the seal stands */
  :: R(cur).kind == HELD -> R(cur).kind = EMPTIED
  :: R(cur).kind == HELD -> R(cur).kind = EDITED
  :: clear(cur); R(cur).kind = ABSENT
  fi;
  printf("somebody makes version %d: kind %d\n", cur, R(cur).kind)
}

#define IDLE (Q.op == 0 && p[i].known > 0 && cur < MAXV)
#define MY (MINE(i, p[i].known))
#define LOCK R(p[i].known)

/* What process i may do with its slot j, or the network with what is in it. */
inline step() {
  if
  :: Q.op != 0 -> printf("a request of %d on version %d is lost\n", i, Q.on); forget()
  :: STORABLE -> store()
#ifdef M_READS_AGAIN_AND_SWAPS
  :: Q.op == ACQUIRE && Q.on != cur && Q.inc == p[i].inc && cur > p[i].known -> v = cur; learn(); p[i].patience = 0; forget()
#endif
  :: s == 0 && p[i].known < cur -> select(v : 1 .. cur);
     if
     :: v > p[i].known -> learn()
     :: else
     fi
  :: s == 0 && p[i].state == LEADING -> p[i].state = STOPPING; printf("%d stops its app\n", i) /* SIGTERM, unfit, or an offer was accepted */
  :: s == 0 && p[i].state == STOPPING -> p[i].state = RELEASING; p[i].trust = 0; printf("the app of %d has stopped\n", i)
  :: s == 0 && p[i].state == LEADING && p[i].trust == 0 -> end()
  :: s == 0 && restarts > 0 -> restart()
  :: IDLE && p[i].state == STANDBY && MAYACQUIRE(i, p[i].known) -> send(ACQUIRE)
  :: IDLE && (p[i].state == LEADING || p[i].state == STOPPING) && MY -> send(RENEW)
  :: OFFERS && IDLE && p[i].state == LEADING && MY -> send(OFFER)
  :: IDLE && MY && MAYRELEASE(i) -> send(RELEASE)
  :: OFFERS && IDLE && LOCK.kind == HELD && LOCK.offer && LOCK.acc == 0 && NAME(LOCK.by) != NAME(i) -> send(ACCEPT)
  :: IDLE && LOCK.kind == ABSENT && p[i].state == STANDBY -> send(CREATE)
  :: else
  fi
}

/* Never two. */
inline look() {
  n = 0;
  for (i : 0 .. N - 1) {
    if
    :: ACTS(i) -> n++
    :: else
    fi
  }
  assert(n <= 1);
  n = 0; i = 0
}

active proctype world() {
  d_step {
    R(1).kind = RELEASED;
    for (i : 0 .. N - 1) { p[i].socket = 1 }
    if
    :: TWINS -> p[1].socket = 0
    :: else
    fi;
    i = 0
  }
  do
  :: atomic { tick(); look() }
  :: atomic { edits > 0 && cur < MAXV && R(cur).kind != ABSENT -> edit(); clean(); look() }
  :: atomic {
       select(i : 0 .. N - 1);
       select(s : 0 .. SLOTS - 1);
       j = i * SLOTS + s;
       step();
       s = 0; v = 0;
       clean(); look()
     }
  od
}
