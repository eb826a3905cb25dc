/* Drawing an incarnation and taking a slot: joiners race for the slots that the limit leaves, after deaths, and after the
 * database was restored to the past.
 *
 * right: - | M1 M2 limit | three nodes, two slots, deaths, a lost reply, one restore of the counter
 * deep: DEATHS=2 INCS=5 | M1 M2 limit | more of both
 * broken: COUNT_ROWS | limit | a joiner counts rows and adds one of its own, without a numbered slot
 * broken: TAKE_WITHOUT_LOOKING_AGAIN | limit M2 | the slot that the snapshot showed free is taken whatever has become of it
 * broken: NOTE_WITHOUT_EXCLUSION | M1 | the incarnation is noted on the mount by an ordinary create
 * broken: FLOOR_IGNORED NOTE_WITHOUT_EXCLUSION | M1 | the counter alone makes incarnations
 * broken: SEQUENCE_RAISED | M1 | the counter is raised to the mount's floor in one step and drawn in another, and not noted
 * broken: JOIN_AGAIN | M2 | after a lost reply and a look at the view, the same incarnation joins again
 */
#define LIMIT 2
#define JOINERS 3
#ifndef INCS
#define INCS 4
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
bool M1_unique, M2_dead_stays_dead, limit_holds;

typedef Slot { byte inc; bool live; bool locked };
Slot slot[JOINERS + 1];     /* the last ones exist only where rows are counted */
byte counter;               /* last_incarnation in the cluster's row */
byte noted;                 /* incarnations on the mount, one bit each */
byte highest;               /* of those */
byte used;                  /* incarnations that somebody believes to be his */
byte dead;                  /* departed */
byte late;                  /* a joining statement of the first node whose reply was lost: it still runs on the server */
bool restored;
byte deaths;
#define BIT(i) (1 << (i))
#define FREE(s) (!slot[s].live)
#define LIVING (slot[0].live + slot[1].live + slot[2].live + slot[3].live)
#define MEMBER(i) ((slot[0].live && slot[0].inc == i) || (slot[1].live && slot[1].inc == i) || \
                   (slot[2].live && slot[2].inc == i) || (slot[3].live && slot[3].inc == i))

/* The incarnation is unique in the table, among the rows of the dead too. */
#define HAS_ROW(i, p) ((slot[0].inc == i && p != 0) || (slot[1].inc == i && p != 1) || (slot[2].inc == i && p != 2) || \
                       (slot[3].inc == i && p != 3))

/* Draws `inc`; 0 when the numbers of this model are used up. */
inline draw() {
#ifdef FLOOR_IGNORED
    floor = 0;
#else
    atomic { floor = highest };
#endif
#ifdef SEQUENCE_RAISED
    atomic { if :: counter < floor -> raised = true :: else fi };
    atomic { if :: raised -> counter = floor :: else fi; raised = false };
    atomic { if :: counter < INCS -> counter++; inc = counter :: else -> inc = 0 fi };
#else
    atomic {
        if :: counter < floor -> counter = floor :: else fi;
        if :: counter < INCS -> counter++; inc = counter :: else -> inc = 0 fi
    };
#endif
    atomic {
        printf("incarnation %d is drawn\n", inc);
        floor = 0;
#if !defined(NOTE_WITHOUT_EXCLUSION) && !defined(SEQUENCE_RAISED)
        if :: noted & BIT(inc) -> inc = 0 :: else fi;           /* an exclusive create: draw again */
#endif
        if
        :: inc != 0 -> noted = noted | BIT(inc); if :: inc > highest -> highest = inc :: else fi;
            assert(M1_unique || !(used & BIT(inc))); used = used | BIT(inc)
        :: else
        fi
    }
}

/* The joining statement: its snapshot shows the free slots and who is departed; then the row decides. */
inline join(i) {
    atomic {
        if
        :: MEMBER(i) || (dead & BIT(i)) -> place = 255      /* joined already, or departed */
#ifdef COUNT_ROWS
        :: !MEMBER(i) && !(dead & BIT(i)) && LIVING < LIMIT -> place = 0
#else
        :: !MEMBER(i) && !(dead & BIT(i)) && FREE(0) -> place = 0; was = slot[0].inc
        :: !MEMBER(i) && !(dead & BIT(i)) && FREE(1) -> place = 1; was = slot[1].inc
#endif
        :: else -> place = 255
        fi
    };
    if
    :: place != 255 ->
        atomic {
#ifdef COUNT_ROWS
            if
            :: FREE(0) && !slot[0].locked -> place = 0
            :: FREE(1) && !slot[1].locked -> place = 1
            :: FREE(2) && !slot[2].locked -> place = 2
            :: FREE(3) && !slot[3].locked -> place = 3
            fi;
            slot[place].locked = true
#else
            !slot[place].locked;
#ifndef TAKE_WITHOUT_LOOKING_AGAIN
            if :: slot[place].inc == was && FREE(place) && !MEMBER(i) :: else -> place = 255 fi;
#endif
            if :: place != 255 -> slot[place].locked = true :: else fi
#endif
        };
        atomic {
            if
            :: place != 255 && HAS_ROW(i, place) -> slot[place].locked = false
            :: place != 255 && !HAS_ROW(i, place) ->
#ifdef TAKE_WITHOUT_LOOKING_AGAIN
                assert(limit_holds || !slot[place].live);
#endif
                slot[place].inc = i; slot[place].live = true; slot[place].locked = false;
                printf("incarnation %d joins in slot %d\n", i, place + 1);
                assert(M2_dead_stays_dead || !(dead & BIT(i)));
                assert(limit_holds || LIVING <= LIMIT)
            :: else -> printf("incarnation %d finds its slot taken\n", i)
            fi;
            was = 0
        }
    :: else
    fi;
    place = 0
}

proctype LateStatement() {
    byte place, was;
    end_none:
    late != 0 -> join(late);
    late = 0
}

proctype Joiner(byte n) {
    byte inc, floor, place, was;
    bool raised, lostOne;
    end_joining:
    do
    :: inc == 0 -> draw()
    :: inc != 0 && !MEMBER(inc) && !(dead & BIT(inc)) && (FREE(0) || FREE(1)) ->
        if
        :: join(inc)
        :: atomic {
            n == 0 && !lostOne -> lostOne = true; late = inc; printf("the reply to the join of %d is lost\n", inc);
           };
           atomic {
#ifdef JOIN_AGAIN
            skip
#else
            if :: !MEMBER(inc) -> inc = 0 :: else fi       /* nobody knows what comes of it: draw a new one */
#endif
           }
        fi
    :: inc != 0 && (MEMBER(inc) || (dead & BIT(inc))) -> break
    :: counter == INCS -> break
    od;
    inc = 0; lostOne = false
}

/* Deaths of members, and one restore of the database to a time when fewer incarnations had been drawn. */
proctype World() {
    end_world:
    do
    :: atomic { slot[0].live && !slot[0].locked && deaths < DEATHS -> deaths++; slot[0].live = false; dead = dead | BIT(slot[0].inc);
                printf("incarnation %d is dead\n", slot[0].inc) }
    :: atomic { slot[1].live && !slot[1].locked && deaths < DEATHS -> deaths++; slot[1].live = false; dead = dead | BIT(slot[1].inc);
                printf("incarnation %d is dead\n", slot[1].inc) }
    :: atomic { !restored && counter > 0 -> restored = true; counter = 0; printf("the counter is back at 0\n") }
    od
}

init {
    atomic {
        run Joiner(0); run Joiner(1); run LateStatement(); run World();
#ifndef SHORT
        run Joiner(2)
#endif
    }
}
