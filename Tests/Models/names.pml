/* One name, two nodes that put a file there, deaths, anybody who rolls forward, and the reclaim of staging.
 * Upload u is staged by incarnation u; upload 2 belongs to a node that may join late.
 *
 * right: - | F1 F2 F4 F5 | writers, late statements, late helpers, renames answered with an error, eviction, reclaim
 * broken: DECIDE_WITHOUT_LIFE | F5 | the decision does not check that the incarnation lives
 * broken: KILL_WITHOUT_FOR_UPDATE | F5 | eviction does not lock the member's row FOR UPDATE first
 * broken: ROWS_PER_OPERATION | F2 | the names' rows are unique by operation and not by path: rolled forward in any order
 * broken: COPY_INSTEAD_OF_RENAME | F2 | publishing copies, so that a late helper can publish again what was replaced
 * broken: FINISH_BEFORE_RENAME | F2 | the name's row is removed before the rename
 * broken: SHARED_STAGED_NAME | F1 F4 | staged names are made from the path, and used by both
 * broken: DECIDE_BEFORE_SEAL | F1 F4 | the decision comes before the bytes are durable
 * broken: RECLAIM_OF_THE_LIVING | F4 | staging is reclaimed before the death of its owner
 * broken: RECLAIM_WITHOUT_ROWS | F4 | what is listed is unlinked before the rows are read
 * broken: ROWS_BEFORE_LISTING | F4 | view and rows are read first and the folder is listed afterwards
 * broken: DISCARD_AFTER_LOST_REPLY | F4 | the reply of a decision is lost, one look finds nothing, and the staged file is removed
 */
#define LIVES 2
#define SLOTS 3
#include "member.pml"

bool F1_whole_and_decided, F2_order_of_decisions, F4_decided_bytes_are_there, F5_nothing_of_the_fenced, L3_one_decision;

#ifdef SHARED_STAGED_NAME
#define NAME(u) 1
#else
#define NAME(u) (u)
#endif

typedef Staged { bool there; bool whole; byte owner };    /* a staged name: whose bytes lie there */
Staged staged[LIVES + 1];
byte shown;             /* the upload whose bytes are visible, 0: the version before */
bool row[LIVES + 1];    /* the name's row: decided for this upload */
bool rowLocked;         /* somebody has changed it and not committed */
byte logged;            /* uploads whose success is in the transfer log, one bit each */
byte lost;              /* uploads that the log calls lost */

/* Kept for the properties only. */
byte decided;           /* uploads that were decided, one bit each */
byte renamed;           /* uploads that became visible */
byte last;              /* the last upload that was decided */
#define ANY_ROW (row[1] || row[2])

/* The decision: snapshot, R3, the unique key of the name, commit. Answers in `won`; `taken` says that the name was busy. */
inline decide(s, u) {
    atomic { see_me(s, u); printf("upload %d is being decided: snapshot taken\n", u) };
#ifdef DECIDE_WITHOUT_LIFE
    me = false;
#else
    atomic { lock_me(s, u); printf("upload %d: R3 finds %d live row\n", u, me) };
#endif
    atomic {
#ifdef DECIDE_WITHOUT_LIFE
        !rowLocked;
        won = true;
#else
        !rowLocked || !me;
        won = me;
#endif
#ifndef ROWS_PER_OPERATION
        taken = won && ANY_ROW;
        won = won && !ANY_ROW;
#endif
        if :: won -> rowLocked = true :: else fi
    };
    atomic {
        if
        :: won ->
            row[u] = true; rowLocked = false;
            printf("upload %d is decided\n", u);
            assert(F5_nothing_of_the_fenced || !ISDEAD(u));
            assert(F4_decided_bytes_are_there || staged[NAME(u)].there);
            decided = decided | BIT(u); last = u
        :: else -> printf("upload %d: %d (0 fenced, 1 busy)\n", u, taken)
        fi;
        leave_row(s)
    }
}

/* What becomes visible, and the checks of it. */
inline make_visible(u) {
    assert(F1_whole_and_decided || (staged[NAME(u)].whole && staged[NAME(u)].owner == u && (decided & BIT(u))));
    assert(F2_order_of_decisions || (last == u && !(renamed & BIT(u))));
    shown = u; renamed = renamed | BIT(u);
    printf("upload %d becomes visible\n", u)
}

/* Rolling upload u forward, by anybody, at any pace: look, rename, look again, log, finish. */
inline roll_forward(u) {
    atomic { there = staged[NAME(u)].there; printf("somebody looks at upload %d: staged %d\n", u, there) };
#ifdef FINISH_BEFORE_RENAME
    atomic { !rowLocked; row[u] = false };
#endif
    if
    :: there ->
        atomic {
            if
            :: staged[NAME(u)].there ->
#ifdef COPY_INSTEAD_OF_RENAME
                make_visible(u);
#else
                make_visible(u); staged[NAME(u)].there = false; staged[NAME(u)].whole = false; staged[NAME(u)].owner = 0;
#endif
                if :: true :: there = false; printf("the rename was done and answered with an error\n") fi
            :: else ->
#ifdef COPY_INSTEAD_OF_RENAME
                make_visible(u)         /* from the file that it has open */
#else
                there = false   /* the rename fails: somebody else has done it */
#endif
            fi
        }
    :: else
    fi;
    if
    :: !there -> atomic { there = (shown == u) };
        if
        :: !there -> atomic { there = ((logged & BIT(u)) != 0) }     /* superseded: was it shown before? the log knows */
        :: else
        fi
    :: else
    fi;
    atomic {
        !rowLocked;
        if
        :: row[u] ->
            row[u] = false;
            if :: there -> logged = logged | BIT(u) :: else -> lost = lost | BIT(u) fi;
            printf("upload %d is finished\n", u);
            assert(F4_decided_bytes_are_there || there)
        :: else
        fi;
        there = false
    }
#ifdef COPY_INSTEAD_OF_RENAME
    ; atomic { staged[NAME(u)].there = false; staged[NAME(u)].whole = false }
#endif
}

/* Leaves a staged file for good: only where no row names it or ever will. */
inline discard(u) {
    assert(F4_decided_bytes_are_there || !row[u] || (renamed & BIT(u)));
    staged[NAME(u)].there = false; staged[NAME(u)].whole = false; staged[NAME(u)].owner = 0;
    printf("the staged file of upload %d is removed\n", u)
}

bool late[LIVES + 1];           /* a deciding statement whose reply was lost: it still runs on the server */
bool gaveUp[LIVES + 1];

proctype LateStatement(byte u) {
    bool seen, me, won, taken;
    end_none:
    late[u] -> decide(u - 1, u);
    atomic { won = false; taken = false; late[u] = false }
}

proctype Writer(byte u) {
    bool seen, me, won, taken, there, mine;
    byte other = 3 - u;
    atomic { take_slot(u - 1, u); printf("incarnation %d joins\n", u) };
    atomic { staged[NAME(u)].there = true; staged[NAME(u)].whole = false; staged[NAME(u)].owner = u; printf("upload %d is staged\n", u) };
#ifndef DECIDE_BEFORE_SEAL
    atomic { staged[NAME(u)].whole = true; printf("upload %d is sealed\n", u) };
#endif
    again:
    if
    :: decide(u - 1, u)
    :: atomic {
            late[u] = true;
            printf("upload %d is being decided, and the reply is lost\n", u)
       };
#ifdef DISCARD_AFTER_LOST_REPLY
       atomic { won = row[u] || (logged & BIT(u));
           if :: !won -> discard(u); goto done :: else -> taken = false fi }
#else
       /* Looked for again until no statement can be on its way any more. */
       atomic { !late[u] -> won = row[u] || ((logged | lost) & BIT(u)); taken = !won && LIVES_IN(u - 1, u); mine = taken };
       if :: mine -> goto leave :: else fi
#endif
    fi;
#ifdef DECIDE_BEFORE_SEAL
    atomic { staged[NAME(u)].whole = true };
#endif
    if
    :: won -> roll_forward(u)
    :: !won && taken ->         /* the other one's decision is in the way: carry it out, and decide again */
        if :: row[other] -> roll_forward(other) :: !row[other] fi;
        atomic { taken = false };
        goto again
    :: else -> leave: atomic { if :: !row[u] && staged[NAME(u)].there && staged[NAME(u)].owner == u -> discard(u) :: else fi }
    fi;
    done: atomic { won = false; taken = false; mine = false; there = false }
}

/* Finds a decision in its way, or clears for the dead; may be paused at every step. */
proctype Anybody() {
    bool there;
    byte u;
    end_idle:
    do
    :: atomic { if :: row[1] -> u = 1 :: row[2] -> u = 2 fi };
       roll_forward(u); u = 0
    od
}

proctype Accuser(byte victim) {
    byte slot = victim - 1;
    end_idle:
    atomic { LIVES_IN(slot, victim) -> printf("incarnation %d is accused\n", victim) };
    atomic { lock_victim(slot) };
    atomic { if :: victim != 0 -> printf("incarnation %d is dead\n", victim); bury(slot) :: else fi; slot = 0 }
}

/* Of the dead, and of those who have not joined yet: an old folder without a member. */
proctype Reclaimer() {
    byte whose;
    bool listed, named, living;
    end_idle:
    do
    :: atomic { (staged[1].there || staged[2].there) -> if :: whose = 1 :: whose = 2 fi };
#ifndef ROWS_BEFORE_LISTING
       atomic { listed = staged[whose].there };
#endif
#ifdef RECLAIM_OF_THE_LIVING
       living = false;
#else
       atomic { living = LIVES_IN(whose - 1, whose) };
#endif
#ifdef RECLAIM_WITHOUT_ROWS
       named = false;
#else
       atomic { named = row[whose] };
#endif
#ifdef ROWS_BEFORE_LISTING
       atomic { listed = staged[whose].there };
#endif
       atomic {
           if :: listed && !living && !named && staged[whose].there -> discard(whose) :: else fi;
           listed = false; named = false; living = false; whose = 0
       }
    od
}

init {
    atomic {
        run Writer(1); run Writer(2); run LateStatement(1); run LateStatement(2);
        run Anybody(); run Accuser(1); run Reclaimer();
#ifndef SHORT
        run Accuser(2)
#endif
    }
}
