/* One piece of work, the lives of nodes that lease it, an accuser and a sweeper. Lives are incarnations; a node that starts again is the
 * next life. A pause is a process that makes no step for a while, so every pause at every step is in it.
 *
 * right: - | L2 L3 L4 R2 | every step of every statement, with crashes, pauses, false evictions and lost replies
 * live: LIVENESS | M6 L7 | a crashed node dies and its work is done by another one, once faults stop
 * deep: EPOCHS=3 | L2 L3 L4 R2 | three grants
 * deep: FALSE_EVICTIONS=2 | L2 L3 L4 R2 | two live nodes evicted, so that a third one is alone
 * broken: COMPLETE_WITHOUT_LIFE | L4 | completion checks the epoch and not that the incarnation lives
 * broken: KILL_WITHOUT_FOR_UPDATE | L4 | eviction does not lock the member's row FOR UPDATE first
 * broken: COMPLETE_WITHOUT_EPOCH | L4 | completion checks the work's id and not the epoch
 * broken: COMPLETE_IN_TWO | L3 | the work is noted as done first, and the lease is deleted in a second statement
 * broken: SWEEP_BEFORE_DEATH | L4 | the accuser sweeps what his victim holds before the death is committed
 * broken: FULL SWEEP_BY_ABSENCE | L4 | the sweep takes what no live row vouches for, and its row is re-read after a wait
 * broken: DEADLINE_BY_CLOCK | L4 | deadlines are judged by the database's clock and not by watching (subject, epoch)
 * broken: EPOCH_BEFORE_LOCK | L2 | the epoch is drawn from a sequence before the work's row is locked
 * broken: RETRY_BLINDLY | R2 | a lost reply is answered by trying again
 * brokenlive: LIVENESS NO_ACCUSATION | M6 L7 | nobody accuses a crashed node
 * brokenlive: LIVENESS NO_SWEEP | L7 | nobody sweeps
 * brokenlive: LIVENESS READ_ONCE | L7 | after a lost reply of an acquisition nobody looks whether it was granted
 */
#ifdef LIVENESS
#define LIVES 2
#define EPOCHS 4
#else
#define LIVES 3
#endif
#ifndef EPOCHS
#define EPOCHS 2
#endif
#ifndef FALSE_EVICTIONS
#define FALSE_EVICTIONS 1
#endif
#define SLOTS 2
#include "member.pml"

/* The names of the properties, for the runner: always false. */
bool L2_epochs_rise, L3_one_completion, L4_live_holder_of_the_epoch, L4_no_live_holder_swept;
bool L4_watched_for_its_deadline, R2_the_verdict_is_true, L4_nothing_granted_to_the_dead;

/* The work's row: it stays when the lease ends, so that an epoch is drawn under its lock. */
typedef Work { bool held; byte epoch; byte inc; bool locked; byte done };
Work work;
byte sequence;              /* epochs drawn */
byte granted;               /* the highest epoch that was ever granted */
byte accepted;              /* completions */
bool crashed[LIVES + 1];
byte joined;                /* lives so far */
byte faults;                /* false evictions so far */

inline release_row() { work.held = false; work.epoch = 0; work.inc = 0; work.locked = false }

inline acquire(s, i) {
    atomic { see_me(s, i) };
    atomic { lock_me(s, i) };
#ifdef EPOCH_BEFORE_LOCK
    atomic { if :: me && sequence < EPOCHS -> sequence++; drawn = sequence :: else -> drawn = 0 fi };
#endif
    atomic {
        !work.locked || !me;
#ifdef EPOCH_BEFORE_LOCK
        won = me && !work.held && !work.done && drawn != 0;
#else
        won = me && !work.held && !work.done && sequence < EPOCHS;
        if :: won -> sequence++; drawn = sequence :: else fi;
#endif
        if :: won -> work.locked = true :: else fi
    };
    atomic {
        if
        :: won ->
            assert(L4_nothing_granted_to_the_dead || !ISDEAD(i));
            work.held = true; work.epoch = drawn; work.inc = i; work.locked = false;
            assert(L2_epochs_rise || drawn > granted);
            granted = drawn; printf("incarnation %d is granted epoch %d\n", i, drawn);
#ifdef READ_ONCE
            if
            :: mine = drawn
            :: printf("incarnation %d: the reply is lost, and a read too early shows nothing\n", i)
            fi
#else
            mine = drawn    /* told, or read after a lost reply */
#endif
        :: else
        fi;
        leave_row(s); drawn = 0; won = false
    }
}

/* Completes the work, or only releases it; `mine` is the epoch. */
inline complete(s, i, finishing) {
    atomic { see_me(s, i); printf("incarnation %d completes epoch %d: snapshot taken\n", i, mine) };
#ifdef COMPLETE_WITHOUT_LIFE
    me = false;
#else
    atomic { lock_me(s, i); printf("incarnation %d: R3 finds %d live row\n", i, me) };
#endif
#ifdef COMPLETE_IN_TWO
    atomic { if :: me && finishing -> work.done = mine; accepted++;
                   assert(L3_one_completion || accepted <= 1) :: else fi };
    atomic { leave_row(s) }; atomic { see_me(s, i) }; atomic { lock_me(s, i) };
#endif
    atomic {
#if defined(COMPLETE_WITHOUT_LIFE)
        !work.locked;
        won = work.held && work.epoch == mine;
#elif defined(COMPLETE_WITHOUT_EPOCH)
        !work.locked || !me;
        won = me && work.held;
#else
        !work.locked || !me;
        won = me && work.held && work.epoch == mine;
#endif
        if :: won -> work.locked = true :: else fi
    };
    atomic {
        if
        :: won ->
            printf("incarnation %d: accepted, epoch %d\n", i, work.epoch);
            assert(L4_live_holder_of_the_epoch || (!ISDEAD(i) && work.epoch == mine && work.inc == i));
            release_row();
#ifndef COMPLETE_IN_TWO
            if :: finishing -> work.done = mine; accepted++ :: else fi;
#endif
            assert(L3_one_completion || accepted <= 1)
        :: else -> printf("incarnation %d: fenced\n", i)
        fi;
        leave_row(s)
    }
}

/* The verdict on a completion: told, or the reply is lost and the row is read. */
inline conclude(i) {
    atomic {
        if
        :: skip
        :: won -> printf("incarnation %d: the reply is lost\n", i);
#ifdef RETRY_BLINDLY
            won = work.held && work.epoch == mine && LIVES_IN(slot, i)
#else
            won = work.done == mine
#endif
        fi;
#ifndef COMPLETE_IN_TWO
        assert(R2_the_verdict_is_true || won == (work.done == mine));
#endif
        won = false; mine = 0
    }
}

proctype Life(byte i) {
    byte slot, mine, drawn;
    bool seen, me, won;
    /* Lives are alike and so are slots: they join in one order, and take the first free slot. */
    end_waits:
    atomic {
        joined == i - 1 && (!member[0].live || !member[1].live);
        if
        :: !member[0].live -> slot = 0
        :: else -> slot = 1
        fi;
        take_slot(slot, i); joined = i; printf("incarnation %d joins in slot %d\n", i, slot + 1)
    };
    end_idle:
    do
    :: crashed[i] -> break
    :: !LIVES_IN(slot, i) && mine == 0 -> break      /* its heartbeat told it; or it does not look, below */
    :: !crashed[i] && mine == 0 && !work.held && !work.done && sequence < EPOCHS ->
        acquire(slot, i)
    :: !crashed[i] && mine != 0 -> complete(slot, i, true); conclude(i)
#ifndef LIVENESS
    :: !crashed[i] && mine != 0 -> complete(slot, i, false); atomic { won = false; mine = 0 }
#endif
    od;
    slot = 0; mine = 0
}

/* A crashed member; or one that is paused or cut off for the slow window, which is nobody's fault here. */
#if defined(NO_ACCUSATION)
#define ACCUSABLE(s) false
#elif defined(LIVENESS)
#define ACCUSABLE(s) (member[s].live && crashed[member[s].inc])
#else
#define ACCUSABLE(s) (member[s].live && (crashed[member[s].inc] || faults < FALSE_EVICTIONS))
#endif

proctype Accuser() {
    byte slot, victim;
    end_watching:
    do
    :: atomic {
        if
        :: ACCUSABLE(0) -> slot = 0
        :: ACCUSABLE(1) -> slot = 1
        fi;
        victim = member[slot].inc;
        if :: crashed[victim] :: else -> faults++ fi;
        printf("incarnation %d is accused\n", victim)
       };
#ifdef SWEEP_BEFORE_DEATH
       atomic {
           !work.locked;
           if
           :: work.held && work.inc == victim ->
               assert(L4_no_live_holder_swept || ISDEAD(work.inc) || crashed[work.inc]); release_row()
           :: else
           fi
       };
#endif
       atomic { lock_victim(slot) };
       atomic { if :: victim != 0 -> printf("incarnation %d is dead\n", victim); bury(slot) :: else fi; slot = 0 }
    od
}

#define LIVING ((member[0].live -> BIT(member[0].inc) : 0) | (member[1].live -> BIT(member[1].inc) : 0))

/* Sweeps what the dead hold, and, having watched (subject, epoch) for the deadline, what is held too long. */
proctype Sweeper() {
    byte evidence;      /* incarnations that may be swept, as the snapshot shows them */
    byte watched;       /* the epoch that was seen before */
    bool hit;
    end_watching:
    do
    :: false
#ifndef NO_SWEEP
    :: atomic {
#ifdef SWEEP_BY_ABSENCE
        work.held && !(LIVING & BIT(work.inc)) -> evidence = 255 - LIVING
#else
        work.held && ISDEAD(work.inc) -> evidence = dead
#endif
       };
       atomic {     /* after a wait the row is read anew, the evidence is that of the snapshot */
           !work.locked;
           hit = work.held && (evidence & BIT(work.inc));
           if :: hit -> work.locked = true :: else fi
       };
       atomic {
           if
           :: hit ->
               printf("epoch %d of incarnation %d is swept\n", work.epoch, work.inc);
               assert(L4_no_live_holder_swept || ISDEAD(work.inc));
               release_row()
           :: else
           fi;
           hit = false; evidence = 0
       }
#endif
#ifndef LIVENESS
    :: atomic { work.held && watched != work.epoch -> watched = work.epoch }
    :: watched != 0 ->
       atomic {
           !work.locked;
#ifdef DEADLINE_BY_CLOCK
           hit = work.held;
#else
           hit = work.held && work.epoch == watched;
#endif
           if :: hit -> work.locked = true :: else fi
       };
       atomic {
           if
           :: hit ->
               printf("epoch %d is swept for its deadline\n", work.epoch);
               assert(L4_watched_for_its_deadline || work.epoch == watched);
               release_row()
           :: else
           fi;
           hit = false; watched = 0
       }
#endif
    od
}

/* An operator's release by force, once. */
proctype Operator() {
    end_idle:
    atomic { work.held && !work.locked -> printf("epoch %d is released by force\n", work.epoch); release_row() }
}

#ifdef LIVENESS
proctype Crash() { atomic { if :: crashed[1] = true; printf("incarnation 1 crashes\n") :: skip fi } }
ltl taken_over { (<> (work.done != 0)) && ([] (crashed[1] && LIVES_IN(0, 1) -> <> ISDEAD(1))) }
#else
proctype Crash() { do :: crashed[1] = true; break :: crashed[2] = true; break :: break od }
#endif

init {
    atomic {
#ifdef LIVENESS
        run Life(1); run Life(2);
#else
        run Life(1); run Life(2); run Life(3);
#ifndef SHORT
        run Operator();
#endif
#endif
        run Accuser(); run Sweeper(); run Crash()
    }
}
