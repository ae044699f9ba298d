/* limiter: the algorithm of ext/admission, every interleaving of it.
 *
 * WORKERS workers with TICKETS tickets each, used USES times, and one thread
 * that changes the capacity RESIZES times. One step here is one access to
 * shared memory there; a loop around a compare-and-swap is one step, since the
 * swap that succeeds has looked at the very word that it changes. A worker's
 * own ring is private, so it takes no step of its own.
 *
 * Left to chance, so that the proof covers more than the code: which of the
 * lanes that looked occupied gets a grant, whether a waiter leaves, whether
 * a request ever ends, and whether it goes back to its line instead.
 *
 * Checked: slots and tickets balance after every step; the bound holds; a
 * worker is never knocked twice; when nothing moves any more, nobody waits
 * beside a free slot; with -DNP, no loop turns for ever without getting on.
 */

#ifndef WORKERS
#define WORKERS 2
#endif
#ifndef TICKETS
#define TICKETS 2
#endif
#ifndef USES
#define USES 1
#endif
#ifndef RESIZES
#define RESIZES 2
#endif
#ifndef CAPACITY
#define CAPACITY 1
#endif
#ifndef WAITING_MAX
#define WAITING_MAX 2
#endif
#ifndef RETURNS
#define RETURNS 0
#endif
#define CAPACITY_TOP 2
#define ALL (WORKERS * TICKETS)
#define NOBODY 255

#define IDLE 0
#define PARKED 1
#define ADMITTED 2

/* The word. */
byte capacity = CAPACITY;
byte running;
short waiting;

/* The lanes: what others see of them, and what only their worker does. */
bool occupied[WORKERS];
byte owed[WORKERS];
byte knocks[WORKERS];
chan line[WORKERS] = [TICKETS] of { byte };

/* Each ticket belongs to the worker ticket / TICKETS. */
byte state[ALL];
byte uses[ALL];
byte returns[ALL];
bool frozen;       /* from now on only what has begun is ended, and knocks are answered */

/* What the code does not count, but the proof does. */
byte holding;      /* tickets that own a slot */
byte in_line;      /* tickets in all lines */
byte on_the_way;   /* grants decided, and neither taken nor handed back */
byte parking;      /* in line, not yet counted as waiting */
byte leaving;      /* no longer counted, still in line */
byte going_back;   /* in line again, and its slot not yet given back */

#define BALANCED \
    assert(in_line == waiting + on_the_way + parking + leaving); \
    assert(running == holding + on_the_way + going_back); \
    assert(running <= CAPACITY_TOP); \
    assert(running + waiting <= CAPACITY_TOP + WAITING_MAX)

inline hand_back() {
    atomic { running--; waiting++; on_the_way--; BALANCED }
}

/* Takes the oldest of the caller's own line, if there is one. */
inline pop(me) {
    if
    :: empty(line[me]) -> hand_back()
    :: nempty(line[me]) ->
        atomic {
            line[me]?oldest; state[oldest] = ADMITTED;
            in_line--; holding++; on_the_way--; BALANCED
        };
        occupied[me] = nempty(line[me])
    fi
}

inline pick() {
    chosen = NOBODY; look = 0;
    do
    :: look < WORKERS ->
        atomic {
            if
            :: occupied[look] -> chosen = look
            :: !occupied[look] || chosen != NOBODY -> skip
            fi;
            look++
        }
    :: else -> break
    od
}

inline knock() {
    atomic { owed[chosen]++; first = (owed[chosen] == 1) };
    if
    :: first -> atomic { knocks[chosen]++; assert(knocks[chosen] == 1) }
    :: else -> skip
    fi
}

#define OFFERED (waiting > 0 && running < capacity)

/* By a worker that may call its own tickets at once. */
inline offer(me) {
    do
    :: atomic { OFFERED -> running++; waiting--; on_the_way++; BALANCED };
        pick();
        if
        :: chosen == NOBODY -> hand_back()
        :: chosen == me -> pop(me)
        :: else -> knock()
        fi
    :: else -> break
    od
}

inline offer_by_knock() {
    do
    :: atomic { OFFERED -> running++; waiting--; on_the_way++; BALANCED };
        pick();
        if
        :: chosen == NOBODY -> hand_back()
        :: else -> knock()
        fi
    :: else -> break
    od
}

inline admit(me) {
    uses[t]++;
    first_in_line = empty(line[me]);
    if
    :: atomic { (first_in_line && waiting <= 0 && running < capacity) -> running++; holding++; state[t] = ADMITTED; BALANCED }
    :: else ->
        if
        :: waiting >= WAITING_MAX -> skip
        :: else ->
            atomic { line[me]!t; state[t] = PARKED; in_line++; parking++ };
            occupied[me] = true;
            if
            :: atomic { waiting >= WAITING_MAX -> refused = true }
            :: atomic { (waiting < WAITING_MAX && first_in_line && waiting <= 0 && running < capacity) ->
                running++; holding++; parking--; leaving++; taken = true; }
            :: atomic { (waiting < WAITING_MAX && !(first_in_line && waiting <= 0 && running < capacity)) ->
                waiting++; parking--; BALANCED }
            fi;
            if
            :: atomic { refused -> line[me]??eval(t); state[t] = IDLE; in_line--; parking--; refused = false; BALANCED };
                occupied[me] = nempty(line[me])
            :: atomic { taken -> line[me]??eval(t); state[t] = ADMITTED; in_line--; leaving--; taken = false; BALANCED };
                occupied[me] = nempty(line[me])
            :: else -> skip
            fi
        fi
    fi
}

inline release(me) {
    atomic { running--; holding--; state[t] = IDLE; BALANCED };
    offer(me)
}

/* Sent back to the front of its line; which place that is makes no difference to the sums. */
inline go_back(me) {
    returns[t]++;
    atomic { line[me]!!t; state[t] = PARKED; in_line++; parking++; holding--; going_back++ };
    occupied[me] = true;
    atomic { running--; waiting++; parking--; going_back--; BALANCED };
    offer(me)
}

inline cancel(me) {
    atomic { waiting--; leaving++ };
    atomic { line[me]??eval(t); state[t] = IDLE; in_line--; leaving--; BALANCED };
    occupied[me] = nempty(line[me])
}

/* A test takes this away, and wants to see the model object. */
#ifndef LOOK_AFTER_COLLECTING
#define LOOK_AFTER_COLLECTING offer(me)
#endif

inline collect(me) {
    knocks[me]--;
    due = owed[me];
    assert(due > 0);
    do
    :: due > 0 ->
        left = due;
        do
        :: left > 0 -> pop(me); left--
        :: else -> break
        od;
        atomic { owed[me] = owed[me] - due; due = owed[me] }
    :: else -> break
    od;
    LOOK_AFTER_COLLECTING
}

#define MAY_ADMIT(x) (!frozen && state[x] == IDLE && uses[x] < USES)
#define MAY_END(x) (!frozen && state[x] == ADMITTED)
#define MAY_GO_BACK(x) (!frozen && state[x] == ADMITTED && returns[x] < RETURNS)
#define MAY_LEAVE(x) (!frozen && state[x] == PARKED)
#define FIRST_OF(me) (me * TICKETS)
#define LAST_OF(me) (me * TICKETS + TICKETS - 1)

/* What a finished call leaves behind would only multiply the states. */
#define FORGET atomic { t = 0; oldest = 0; chosen = 0; look = 0; due = 0; left = 0; first = 0; first_in_line = 0 }

proctype worker(byte me) {
    byte t, oldest, chosen, look, due, left;
    bool first, first_in_line, refused, taken;
end:
    do
    :: knocks[me] > 0 -> collect(me); FORGET
    :: MAY_ADMIT(FIRST_OF(me)) -> t = FIRST_OF(me); goto admitting
    :: MAY_END(FIRST_OF(me)) -> t = FIRST_OF(me); goto releasing
    :: MAY_GO_BACK(FIRST_OF(me)) -> t = FIRST_OF(me); goto going
    :: MAY_LEAVE(FIRST_OF(me)) -> t = FIRST_OF(me); goto cancelling
#if TICKETS > 1
    :: MAY_ADMIT(LAST_OF(me)) -> t = LAST_OF(me); goto admitting
    :: MAY_END(LAST_OF(me)) -> t = LAST_OF(me); goto releasing
    :: MAY_GO_BACK(LAST_OF(me)) -> t = LAST_OF(me); goto going
    :: MAY_LEAVE(LAST_OF(me)) -> t = LAST_OF(me); goto cancelling
#endif
    od;
admitting:
progress_admit: admit(me); FORGET; goto end;
releasing:
progress_release: release(me); FORGET; goto end;
going:
progress_go_back: go_back(me); FORGET; goto end;
cancelling:
progress_cancel: cancel(me); FORGET; goto end
}

proctype resizer() {
    byte chosen, look, resizes;
    bool first;
    do
    :: resizes < RESIZES && !frozen ->
progress_resize:
        resizes++;
        if
        :: capacity = 0
        :: capacity = 1
        :: capacity = CAPACITY_TOP
        fi;
        offer_by_knock();
        atomic { chosen = 0; look = 0; first = 0 }
    :: break
    od
}

/* Stops new work at any moment, and judges what is left when nothing moves. */
proctype judge() {
    byte me;
    frozen = true;
    timeout ->
        atomic {
            assert(on_the_way == 0 && parking == 0 && leaving == 0);
            assert(waiting == in_line);
            assert(in_line == 0 || running >= capacity);
            for (me : 0 .. WORKERS - 1) {
                assert(owed[me] == 0 && knocks[me] == 0);
                assert(occupied[me] == (len(line[me]) > 0))
            }
        }
}

init {
    byte me;
    atomic {
        for (me : 0 .. WORKERS - 1) { run worker(me) };
        run resizer();
        run judge()
    }
}
