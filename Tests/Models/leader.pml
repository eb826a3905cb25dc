/* Leadership: a term bound to a live incarnation, taken by compare-and-set; an operator may take it away from a live leader.
 *
 * right: - | M5 | two nodes and an heir, evictions, leaders deposed by an operator, writes delayed at every step
 * broken: WRITE_WITHOUT_TERM | M5 | a leader's write checks that its incarnation lives and not its term
 * broken: WRITE_WITHOUT_LIFE | M5 | a leader's write checks the term and not that the incarnation lives
 * broken: KILL_WITHOUT_FOR_UPDATE | M5 | eviction does not lock the member's row FOR UPDATE first
 * broken: TAKE_WITHOUT_TERM | M5 | leadership is taken from whoever no live row of the snapshot vouches for, whatever the term
 * broken: TERM_KEPT | M5 | who takes the leadership keeps the term
 */
#define LIVES 3
#define SLOTS 3
#include "member.pml"
#ifdef SHORT
#define TERMS 3
#else
#define TERMS 4
#endif

bool M5_one_leader_per_term, M5_no_write_by_an_old_leader, M5_no_live_leader_is_deposed;

byte leader;                    /* the incarnation, 0: none */
byte term;
bool locked;                    /* somebody has changed the cluster's row and not committed */
byte leaderOf[TERMS + 1];       /* who ever led a term */
bool forced;

inline take_leadership(s, i) {
    atomic {
        see_me(s, i);
        /* positive evidence or absence, as the snapshot shows it */
        seenTerm = term; free = (leader == 0 || !(member[0].live && member[0].inc == leader ||
            member[1].live && member[1].inc == leader || member[2].live && member[2].inc == leader));
        alive = (member[0].live -> BIT(member[0].inc) : 0) | (member[1].live -> BIT(member[1].inc) : 0) |
                (member[2].live -> BIT(member[2].inc) : 0)
    };
    atomic { lock_me(s, i) };
    atomic {
        !locked || !me;
#ifdef TAKE_WITHOUT_TERM
        won = me && free && (leader == 0 || !(alive & BIT(leader))) && term < TERMS;
#else
        won = me && free && term == seenTerm && term < TERMS;
#endif
        if :: won -> locked = true :: else fi
    };
    atomic {
        if
        :: won ->
            assert(M5_no_live_leader_is_deposed || leader == 0 || ISDEAD(leader));
#ifndef TERM_KEPT
            term++;
#else
            if :: term == 0 -> term = 1 :: else fi;
#endif
            leader = i; locked = false; mine = term; printf("incarnation %d leads term %d\n", i, term);
            assert(M5_one_leader_per_term || leaderOf[term] == 0 || leaderOf[term] == i); leaderOf[term] = i
        :: else
        fi;
        leave_row(s); won = false; seenTerm = 0; free = false; alive = 0
    }
}

inline write(s, i) {
    atomic { see_me(s, i); printf("incarnation %d writes for term %d: snapshot taken\n", i, mine) };
#ifdef WRITE_WITHOUT_LIFE
    me = false;
#else
    atomic { lock_me(s, i) };
#endif
    atomic {        /* the write locks the cluster's row too: FOR SHARE against the change of leaders */
#ifdef WRITE_WITHOUT_LIFE
        !locked; won = (term == mine);
#elif defined(WRITE_WITHOUT_TERM)
        !locked || !me; won = me;
#else
        !locked || !me; won = me && term == mine && leader == i;
#endif
        if :: won -> locked = true :: else fi
    };
    atomic {
        if
        :: won -> printf("incarnation %d wrote for term %d\n", i, mine);
            assert(M5_no_write_by_an_old_leader || (term == mine && leader == i && !ISDEAD(i)));
            locked = false
        :: else -> mine = 0
        fi;
        leave_row(s); won = false
    }
}

proctype Life(byte i) {
    byte mine, seenTerm, alive;
    bool seen, me, won, free;
    atomic { take_slot(i - 1, i); printf("incarnation %d joins\n", i) };
    end_idle:
    do
    :: mine == 0 && term < TERMS && LIVES_IN(i - 1, i) -> take_leadership(i - 1, i)
    :: mine != 0 -> write(i - 1, i)
    :: mine == 0 && !LIVES_IN(i - 1, i) -> break
    od
}

proctype Accuser(byte victim) {
    byte slot = victim - 1;
    end_idle:
    atomic { LIVES_IN(slot, victim) -> printf("incarnation %d is accused\n", victim) };
    atomic { lock_victim(slot) };
    atomic { if :: victim != 0 -> printf("incarnation %d is dead\n", victim); bury(slot) :: else fi }
}

proctype Operator() {
    end_idle:
    atomic { leader != 0 && !locked && !forced -> forced = true; leader = 0; printf("the leader is deposed\n") }
}

init { atomic { run Life(1); run Life(2); run Life(3); run Accuser(1); run Accuser(2); run Operator() } }
