/* Who may accuse, in time: an accuser, and a target that is never paused, beats whenever the database answers, and must not be killed.
 * A tick is 125 ms. The database may be away for any time, with or without cutting the
 * connections, and then answers for two seconds; its clock may step at any moment, once in a small way and once in a large one.
 *
 * right: - | M4 | any outage, any step of the database's clock, any pause of the accuser
 * broken: NO_CHAIN | M4 | standing still is enough, whatever the accuser's own heartbeats
 * broken: CHAIN_OF_ONE_SECOND | M4 | the chain need only be as long as a reconnection takes
 * broken: CHAIN_SURVIVES_RECONNECT | M4 | the accuser's chain is judged by the gap alone, so a line that was cut and opened again keeps it
 * broken: FRESH_FOR_THE_FAST_WINDOW | M4 | the accuser's last beat may be as old as the fast window, which is longer than the chain's gap
 * broken: ACCUSE_BY_ANOTHER_CONNECTION | M4 | the accusation does not come by the line whose heartbeats vouch for the accuser
 */
#define PERIOD 2        /* a healthy node beats at the latest so long after its last beat */
#define GAP 3           /* 450 ms, whole ticks of it */
#define FAST 4          /* 500 ms */
#define RECONNECT 8     /* 1 s: who is cut off is back at the latest so long after the database answers */
#define SLOW 14         /* the slow window: longer than a reconnection is what matters of it, so 14 ticks instead of 40 */
#ifdef CHAIN_OF_ONE_SECOND
#define CHAIN RECONNECT
#else
#define CHAIN SLOW
#endif
#ifdef FRESH_FOR_THE_FAST_WINDOW
#define FRESH FAST
#else
#define FRESH GAP
#endif
#define MANY (SLOW + 1)

bool M4_no_healthy_node_is_killed;

bool up = true;         /* the database answers */
bool lineA = true, lineT = true;    /* the connections, and with them the advisory locks */
byte backT;             /* ticks that the target has been trying while the database answers */
byte dueT;              /* ticks since its last beat, on its own clock; it beats at PERIOD when it can */
byte ageA, ageT;        /* since the last beats, by the database's clock; MANY is any longer time */
bool futureA, futureT;  /* the last beat lies in the future of a clock that was set back */
byte chain;             /* since when the accuser's chain is unbroken, by the database's clock */
byte watched;           /* how long the accuser has seen the target stand still, on its own clock */
bool movedT;            /* the target has beaten since the accuser looked */
bool crept, leapt;      /* the clock has stepped */
byte upFor;             /* since the database answers */
#define SETTLED (2 * RECONNECT)

#define ADD(x, n) ((x) + (n) > MANY -> MANY : (x) + (n))

inline beat_of_the_accuser() {
    if
    :: ageA > GAP || futureA -> chain = 0; watched = 0
    :: else
    fi;
    ageA = 0; futureA = false;
    if :: movedT -> watched = 0; movedT = false :: else fi
}

inline accuse() {
    if
    ::
       watched >= FAST &&
#ifndef NO_CHAIN
       ageA <= FRESH && !futureA && chain >= CHAIN &&
#endif
       ((!lineT && (ageT > FAST || futureT))
        || (watched >= SLOW && (ageT > SLOW || futureT))
       ) -> printf("the target is killed, %d ticks after its last beat, watched for %d\n", ageT, watched);
            assert(M4_no_healthy_node_is_killed)
    :: else
    fi
}

proctype Tick() {
    do
    /* The target beats early, or as late as it may. */
    :: atomic { up && lineT -> dueT = 0; ageT = 0; futureT = false; movedT = true }
    :: atomic { up && !lineT -> lineT = true; backT = 0; dueT = PERIOD; printf("the target is back\n") }
    :: atomic { up && lineA -> beat_of_the_accuser() }
    :: atomic { up && !lineA -> lineA = true; printf("the accuser is back\n");
#ifndef CHAIN_SURVIVES_RECONNECT
            chain = 0; watched = 0
#endif
       }
#ifdef ACCUSE_BY_ANOTHER_CONNECTION
    :: atomic { up && !movedT -> accuse() }
#else
    :: atomic { up && lineA && !movedT -> accuse() }
#endif
    /* It is gone at once, with its connections or without; or it answers again before anybody has noticed more than the cut. */
    :: atomic { up && upFor >= SETTLED -> upFor = 0;
            if
            :: up = false; printf("the database does not answer\n")
            :: lineA = false; lineT = false; printf("all connections are cut\n")
            fi }
    :: atomic { !up -> up = true;
            if
            :: lineA = false; lineT = false
            :: skip
            :: ageA > GAP && !futureA -> lineT = false      /* the target's deadline was over, the accuser's not yet */
            fi; printf("the database answers\n") }
    :: atomic { !crept -> crept = true; ageA = ADD(ageA, 2); ageT = ADD(ageT, 2); chain = ADD(chain, 2);
            printf("the database's clock steps a little\n") }
    :: atomic { !leapt -> leapt = true;
            if
            :: ageA = MANY; ageT = MANY; chain = MANY; printf("the database's clock steps ahead\n")
            :: futureA = true; futureT = true; printf("the database's clock is set back\n")
            fi }
    /* Time goes on, unless the target has something to do now. */
    :: atomic { !(up && lineT && dueT >= PERIOD) && !(up && !lineT && backT >= RECONNECT) ->
            if :: up && !lineT -> backT++ :: else fi;
            if :: up && upFor < SETTLED -> upFor++ :: else fi;
            if :: dueT < PERIOD -> dueT++ :: else fi;
            ageA = ADD(ageA, 1); ageT = ADD(ageT, 1); chain = ADD(chain, 1); watched = ADD(watched, 1) }
    od
}

init { chain = MANY; upFor = SETTLED; run Tick() }
