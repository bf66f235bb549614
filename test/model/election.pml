/*
 * The protocol of internal/engine as a model for spin, small enough to be
 * looked through completely: N candidates, one lock, MAXV versions of it.
 *
 * What is not bounded is left to chance: any request may be lost, or arrive at
 * any later time, also after its sender gave it up or died; any answer may be
 * lost or late; the watch may lag and skip; a process may stand still for ever.
 * So the model does more than the engine would (it never waits for an answer,
 * and never holds off); what it may do safely, the engine may.
 *
 * Time is counted in ticks. A clock is a set of countdowns, so nothing but the
 * number of versions ends a run. With DRIFT a clock may miss one tick in D.
 *
 * Checked: at most one candidate may act, and the terms of leads only rise.
 * Each M_... breaks one law, and spin must then find how that goes wrong.
 */
#ifndef N
#define N 2        /* candidates */
#endif
#ifndef MAXV
#define MAXV 5     /* versions of the lock */
#endif
#ifndef MAXW
#define MAXW 3     /* writes of one candidate */
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
  byte nonce; /* of the sealing write */
  byte term;
  bit acq;    /* that write was an acquisition */
  bit pod;    /* it names the pod: its writer held the pod's socket */
  bit offer;
  byte acc;   /* the acceptor plus one */
  byte count; /* of acquisitions, as leaseTransitions; begins anew with the lock */
}
Record rec[MAXV + 1]; /* every version that ever was; 0 is none */
byte cur = 1;

/* Operations on the lock. */
#define ACQUIRE 1
#define RENEW   2
#define OFFER   3
#define ACCEPT  4
#define RELEASE 5
#define CREATE  6

/* Requests and their answers in the network. */
#define FREE     0
#define SENT     1
#define STORED   2
#define CONFLICT 3
typedef Request { byte state; byte op; byte on; byte nonce; byte inc; byte v; bit pod }
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
  byte next;    /* nonce of the next write */
  byte fresh;   /* writes before this one belong to a lead that ended */
  bit socket;   /* law 11 */
  byte slow;    /* no tick may be missed for so long */
  byte highest; /* term that it has seen in the lock */
}
Process p[N];
byte trusts[N * MAXW]; /* what a write of that nonce gives, once it is confirmed */
byte edits = EDITS, restarts = RESTARTS;
byte newest;           /* the highest term that led */

#define NAME(i) (TWINS && (i) == 1 -> 0 : (i))
#define ACTS(i) ((p[i].state == LEADING || p[i].state == STOPPING) && p[i].trust > 0)
#define R(v) rec[v]
#define TRUSTS(i, n) trusts[(i) * MAXW + (n)]

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

inline end() {
  p[i].state = STANDBY; p[i].trust = 0; p[i].term = 0;
  p[i].fresh = p[i].next; /* law 8 */
}

inline begin(since, length) {
  p[i].state = LEADING; p[i].term = since; p[i].trust = length;
  assert(p[i].term > newest); /* law 12 */
  newest = p[i].term;
  printf("%d leads, term %d, for %d ticks\n", i, p[i].term, p[i].trust)
}

/* A process knows version v, which is newer than what it knew. */
inline learn() {
  /* Law 8: trust that ran out is final. */
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
  printf("%d knows version %d\n", i, v);
  if
  :: MINE(i, v) -> confirm()
  :: else ->
     if
     :: p[i].state != STANDBY -> end()
     :: else
     fi
  fi
}

/* Laws 1, 3, 6: a version with my seal confirms the write of that nonce. */
inline confirm() {
  n = R(v).nonce;
#ifdef M_TRUST_FROM_ARRIVAL
  w = D - MARGIN;
#else
#ifdef M_NAME_IS_ME
  w = D - MARGIN;
#else
  w = TRUSTS(i, n);
#endif
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
#ifdef M_ENDED_LEAD_IS_CONFIRMED_AGAIN
  :: p[i].state == STANDBY && R(v).acq && w > 0 ->
#else
  :: p[i].state == STANDBY && R(v).acq && n >= p[i].fresh && w > 0 ->
#endif
#ifdef M_TERM_IS_A_COUNT
     begin(R(v).count, w); p[i].term = R(v).term
#else
     begin(R(v).term, w)
#endif
#endif
  :: else
  fi;
  n = 0; w = 0
}

/* A process sends a write on what it knows. */
inline send(what) {
  printf("%d sends operation %d on version %d\n", i, what, p[i].known);
  req[j].state = SENT; req[j].op = what; req[j].on = p[i].known;
  req[j].inc = p[i].inc; req[j].pod = p[i].socket;
  if
  :: what != ACCEPT && what != CREATE ->
     req[j].nonce = p[i].next;
     TRUSTS(i, p[i].next) = D - MARGIN; /* law 3: from departure */
     p[i].next++;
#ifdef M_UNKNOWN_IS_SUCCESS
     if
     :: (what == RENEW || what == OFFER) && p[i].trust > 0 -> p[i].trust = D - MARGIN
     :: else
     fi
#endif
  :: else
  fi
}

inline forget() {
  req[j].state = FREE; req[j].op = 0; req[j].on = 0; req[j].nonce = 0; req[j].inc = 0; req[j].v = 0; req[j].pod = 0
}

inline copy(to, from) {
  R(to).kind = R(from).kind; R(to).by = R(from).by; R(to).inc = R(from).inc; R(to).nonce = R(from).nonce; R(to).term = R(from).term;
  R(to).acq = R(from).acq; R(to).pod = R(from).pod; R(to).offer = R(from).offer; R(to).acc = R(from).acc; R(to).count = R(from).count
}

/* The server stores a request of process i. */
inline store() {
  cur++;
  if
  :: req[j].op == CREATE -> R(cur).kind = TOMB
  :: req[j].op == ACCEPT -> copy(cur, req[j].on); R(cur).acc = i + 1 /* the seal byte for byte */
  :: else ->
     R(cur).kind = (req[j].op == RELEASE -> RELEASED : HELD);
     R(cur).by = i; R(cur).inc = req[j].inc; R(cur).nonce = req[j].nonce; R(cur).pod = req[j].pod;
     R(cur).acq = (req[j].op == ACQUIRE); R(cur).offer = (req[j].op == OFFER);
     R(cur).term = (req[j].op == ACQUIRE -> req[j].on : R(req[j].on).term);
     R(cur).count = (req[j].op == ACQUIRE -> R(req[j].on).count + 1 : R(req[j].on).count)
  fi;
  req[j].state = STORED; req[j].v = cur;
  printf("version %d: operation %d of process %d, on version %d\n", cur, req[j].op, i, req[j].on)
}

#ifdef M_RELEASE_COVERS_A_SUCCESSOR
#define FITS(k) (cur == req[k].on || req[k].op == RELEASE && R(cur).kind != ABSENT)
#else
#define FITS(k) (cur == req[k].on)
#endif
#define STORABLE(k) (cur < MAXV && (req[k].op == CREATE -> R(cur).kind == ABSENT : R(cur).kind != ABSENT && FITS(k)))

inline down(x) {
  if
  :: x > 0 -> x--
  :: else
  fi
}

inline tick() {
  for (i : 0 .. N - 1) {
    if
    :: DRIFT && p[i].slow == 0 -> p[i].slow = D
    :: true ->
       down(p[i].slow); down(p[i].trust);
       if
       :: p[i].known != 0 -> down(p[i].patience)
       :: else
       fi;
       for (n : 0 .. MAXW - 1) { down(TRUSTS(i, n)) }
    fi
  }
  n = 0
}

/* A process dies, and its pod starts it anew. What it sent stays under way. */
inline restart() {
  restarts--;
  p[i].state = STANDBY; p[i].trust = 0; p[i].term = 0; p[i].known = 0; p[i].patience = 0; p[i].slow = 0; p[i].highest = 0;
  p[i].fresh = p[i].next; p[i].inc++;
  for (n : 0 .. MAXW - 1) { TRUSTS(i, n) = 0 }
  n = 0;
  p[i].socket = !(TWINS && i < 2 && p[1 - i].socket)
}

/* An old copy is known as one by who has seen a newer record. Who has not is
   deceived: that is forgery, which no law prevents. */
#if N == 2
#define UPTODATE (p[0].known == cur - 1 && p[1].known == cur - 1)
#else
#define UPTODATE (p[0].known == cur - 1 && p[1].known == cur - 1 && p[2].known == cur - 1)
#endif

inline edit() {
  edits--;
  cur++; copy(cur, cur - 1);
  if
  :: cur > 2 && R(cur - 2).kind != ABSENT && UPTODATE -> copy(cur, cur - 2) /* an old copy is applied, sealed as it was */
  :: true                          /* a label: the seal stands */
  :: R(cur).kind == HELD -> R(cur).kind = EMPTIED
  :: R(cur).kind == HELD -> R(cur).kind = EDITED
  :: R(cur).kind = ABSENT; R(cur).by = 0; R(cur).inc = 0; R(cur).nonce = 0; R(cur).term = 0; R(cur).acq = 0; R(cur).pod = 0; R(cur).offer = 0; R(cur).acc = 0; R(cur).count = 0
  fi
}

#define ROOM(i, s) (req[(i) * SLOTS + (s)].state == FREE)
#define WRITES(i) (p[i].next < MAXW && cur < MAXV)

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
  :: atomic { tick(); i = 0; printf("a tick\n") }
  :: atomic { edits > 0 && cur < MAXV && R(cur).kind != ABSENT -> edit(); printf("somebody makes version %d: kind %d\n", cur, R(cur).kind) }
  :: atomic { /* a step of one process, or of one of its requests */
       select(i : 0 .. N - 1);
       select(s : 0 .. SLOTS - 1);
       j = i * SLOTS + s;
       if
       /* the network and the server */
       :: req[j].state == SENT -> printf("a request of %d on version %d is lost\n", i, req[j].on); forget()
       :: req[j].state == SENT && STORABLE(j) -> store()
       :: req[j].state == SENT && !STORABLE(j) -> req[j].state = CONFLICT; printf("a request of %d on version %d conflicts\n", i, req[j].on)
       :: req[j].state == CONFLICT ->
#ifdef M_READS_AGAIN_AND_SWAPS
          if
          :: p[i].inc == req[j].inc && cur > p[i].known && req[j].op == ACQUIRE -> v = cur; learn(); p[i].patience = 0
          :: else
          fi;
#endif
          forget()
       :: req[j].state == STORED ->
          if
          :: true /* the answer is lost, or given up */
          :: p[i].inc == req[j].inc && req[j].v > p[i].known ->
             v = req[j].v; learn()
#ifdef M_CREATED_IS_LEADING
             ; if
               :: R(v).kind == TOMB && p[i].state == STANDBY && v > newest -> begin(v, D - MARGIN)
               :: else
               fi
#endif
          fi;
          forget()
       /* the watch, or a read */
       :: s == 0 && p[i].known < cur -> select(v : 1 .. cur);
          if
          :: v > p[i].known -> learn()
          :: else
          fi
       /* what the process itself decides */
       :: s == 0 && p[i].state == LEADING -> p[i].state = STOPPING; printf("%d stops its app\n", i) /* SIGTERM, unfit, or an offer was accepted */
       :: s == 0 && p[i].state == STOPPING -> p[i].state = RELEASING; p[i].trust = 0; printf("the app of %d has stopped\n", i) /* the app has stopped */
       :: s == 0 && p[i].state == LEADING && p[i].trust == 0 -> end()
       :: s == 0 && restarts > 0 -> restart(); printf("%d dies and starts anew\n", i)
       :: ROOM(i, s) && p[i].known > 0 && WRITES(i) && p[i].state == STANDBY && MAYACQUIRE(i, p[i].known) -> send(ACQUIRE)
       :: ROOM(i, s) && p[i].known > 0 && WRITES(i) && (p[i].state == LEADING || p[i].state == STOPPING) && MINE(i, p[i].known) -> send(RENEW)
       :: ROOM(i, s) && p[i].known > 0 && WRITES(i) && p[i].state == LEADING && MINE(i, p[i].known) -> send(OFFER)
       :: ROOM(i, s) && p[i].known > 0 && WRITES(i) && MINE(i, p[i].known) && MAYRELEASE(i) -> send(RELEASE)
       :: ROOM(i, s) && p[i].known > 0 && cur < MAXV && R(p[i].known).kind == HELD && R(p[i].known).offer && R(p[i].known).acc == 0 && NAME(R(p[i].known).by) != NAME(i) -> send(ACCEPT)
       :: ROOM(i, s) && p[i].known > 0 && cur < MAXV && R(p[i].known).kind == ABSENT && p[i].state == STANDBY -> send(CREATE)
       :: else
       fi;
       i = 0; j = 0; s = 0; v = 0
     };
     /* Never two. */
     d_step {
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
  od
}
