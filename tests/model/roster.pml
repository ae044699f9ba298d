/* roster: members that come and go under a gate, every interleaving of it.
 *
 * REQUESTS requests, MEMBERS members with CAPACITY slots each, one control
 * thread that puts in and takes out CHANGES times. One step here is one access
 * to shared memory in ext/upstream/roster and ext/proxy/choice; a loop around a
 * compare-and-swap is one step, but for the one of take_out, whose swap holds
 * only while as many run as were reckoned with. The line is limiter.pml's: here
 * it is a count, and a grant is anybody's.
 *
 * Left to chance: in which order a request looks at the members, whether it
 * ever ends, and whether its member refuses it.
 *
 * Checked: the gate's capacity is never below zero, no member runs more than it
 * has slots; when nothing moves any more, the capacity is what the members
 * have, nobody holds a slot of the gate without one of a member, and nobody
 * waits beside a free slot.
 */

#ifndef REQUESTS
#define REQUESTS 3
#endif
#ifndef MEMBERS
#define MEMBERS 2
#endif
#ifndef CAPACITY
#define CAPACITY 1
#endif
#ifndef CHANGES
#define CHANGES 2
#endif
#ifndef REFUSALS
#define REFUSALS 1
#endif
#define NOBODY 255

/* The gate's word, and grants that nobody has taken yet. */
short capacity;
byte running;
byte waiting;
byte granted;

/* The members' words. */
byte there[MEMBERS];
bool out[MEMBERS];
bool claimed[MEMBERS];
bool noted[MEMBERS];     /* refused somebody while it was claimed */

byte refusals;
byte seeking;            /* requests that hold a slot of the gate and none of a member, for the proof */
bool changed;            /* the control thread is done */

inline offer() {
    do
    :: atomic { waiting > 0 && running < capacity -> waiting--; running++; granted++; seeking++ }
    :: else -> break
    od
}

#define GROW(change) atomic { capacity = capacity + (change); assert(capacity >= 0) }

/* A test takes the second look away, and wants to see the model object. */
#ifndef LOOK_AGAIN
#define LOOK_AGAIN there[m] == count
#endif

inline mark_out(m) {
    count = there[m];
    GROW(-(CAPACITY - count));
    do
    :: atomic { (LOOK_AGAIN) -> out[m] = true; claimed[m] = false; break }
    :: atomic { !(LOOK_AGAIN) -> now = there[m] };
        GROW(now - count);
        count = now
    od;
    offer();
    count = 0;
    now = 0
}

inline take_out(m) {
    if
    :: atomic { !claimed[m] && !out[m] -> claimed[m] = true }; mark_out(m)
    :: else -> skip
    fi
}

/* A refusal: the member is out, or whoever has claimed it hears of it. */
inline refuse(m) {
    do
    :: atomic { !claimed[m] && !out[m] -> claimed[m] = true }; mark_out(m); break
    :: atomic { claimed[m] && !out[m] -> noted[m] = true; break }
    :: atomic { out[m] -> break }
    od
}

inline put_in(m) {
    atomic { !claimed[m] -> claimed[m] = true };
    atomic { assert(out[m]); out[m] = false; noted[m] = false; count = there[m] };
    GROW(CAPACITY - count);
    if
    :: atomic { !noted[m] -> claimed[m] = false }; offer()
    :: atomic { noted[m] -> noted[m] = false; claimed[m] = false }; refuse(m); offer()
    fi;
    count = 0
}

/* Looks at every member once, from one that chance names; `last` is left out. */
inline pick() {
    at = NOBODY;
    looked = 0;
    if
    :: look = 0
    :: look = MEMBERS - 1
    fi;
    do
    :: looked == MEMBERS -> break
    :: looked < MEMBERS ->
        atomic {
            if
            :: look != last && !out[look] && there[look] < CAPACITY ->
                there[look]++; assert(there[look] <= CAPACITY);
                at = look; seeking--; looked = MEMBERS
            :: else -> looked++; look = (look + 1) % MEMBERS
            fi
        }
    od;
    last = NOBODY;
    looked = 0;
    look = 0
}

proctype request() {
    byte at = NOBODY, last = NOBODY, look, looked, count, now;
    bool was_out;
    if
    :: atomic { waiting == 0 && running < capacity -> running++; seeking++ }; goto admitted
    :: atomic { !(waiting == 0 && running < capacity) -> waiting++ }
    fi;
end_waiting:
    atomic { granted > 0 -> granted-- };
admitted:
    pick();
    if
    :: at == NOBODY ->
going_back:
        atomic { seeking--; running--; waiting++ };
        offer();
        goto end_waiting
    :: else -> skip
    fi;
    if
    :: goto ending
    :: goto end_staying
    :: atomic { refusals < REFUSALS -> refusals++ }; goto refusing
    fi;
refusing:
    refuse(at);
    atomic { there[at]--; seeking++; was_out = out[at]; last = at; at = NOBODY };
    if
    :: was_out -> GROW(-1)
    :: else -> skip
    fi;
    pick();
    if
    :: at == NOBODY -> goto going_back
    :: else -> goto ending
    fi;
ending:
    atomic { there[at]--; was_out = out[at] };
    if
    :: was_out -> atomic { running--; capacity--; assert(capacity >= 0) }
    :: else -> atomic { running-- }; offer()
    fi;
    goto end_over;
end_staying:
    false;
end_over:
    skip
}

proctype control() {
    byte which, count, now, changes;
    do
    :: changes < CHANGES ->
        changes++;
        if
        :: which = 0
        :: which = MEMBERS - 1
        fi;
        if
        :: out[which] -> put_in(which)
        :: else -> take_out(which)
        fi
    :: break
    od;
    changed = true
}

/* Judges what is left when nothing moves. */
proctype judge() {
    byte m, runs;
    short has;
    bool free;
    timeout ->
        atomic {
            assert(changed && granted == 0 && seeking == 0);
            for (m : 0 .. MEMBERS - 1) {
                assert(!claimed[m]);
                runs = runs + there[m];
                has = has + (out[m] -> there[m] : CAPACITY);
                free = free || (!out[m] && there[m] < CAPACITY)
            };
            assert(capacity == has);
            assert(running == runs);
            assert(waiting == 0 || !free)
        }
}

init {
    byte n;
    atomic {
        capacity = MEMBERS * CAPACITY;
        for (n : 1 .. REQUESTS) { run request() };
        run control();
        run judge()
    }
}
