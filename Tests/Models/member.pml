/* What the models share: the rows of members, and rule R3 with the row locks of PostgreSQL.
 *
 * A statement is a snapshot, then one step for each lock that it waits for, then a commit. Anything can happen between two steps.
 * FOR KEY SHARE and an update of a column that is in no unique index do not wait for each other. More: FOR KEY SHARE returns
 * the version of the snapshot although such an update has been committed meanwhile, without a second look. Only because a
 * killer locks the row FOR UPDATE first does his update count as one of a key, and is R3's condition judged anew. */

typedef Member {
    byte inc;       /* who has the slot, 0: nobody yet */
    bool live;
    byte sharers;   /* statements in flight that hold the row FOR KEY SHARE */
    bool locked     /* a killer or a joiner has changed it and not committed */
};
Member member[SLOTS];
byte dead;          /* departed incarnations, one bit each; grows only */

#define BIT(i) (1 << (i))
#define ISDEAD(i) ((dead & BIT(i)) != 0)
#define LIVES_IN(s, i) (member[s].inc == (i) && member[s].live)

/* R3 in three steps: `seen` is what the snapshot shows, `me` whether the right was found, and it is held until `leave_row`. */
inline see_me(s, i) { seen = LIVES_IN(s, i) }

inline lock_me(s, i) {
#ifdef KILL_WITHOUT_FOR_UPDATE
    me = seen && member[s].inc == (i);      /* nothing makes it look again, and nobody waits for it */
    if :: me -> member[s].sharers++ :: else fi
#else
    !member[s].locked || !seen;
    me = seen && LIVES_IN(s, i);
    if :: me -> member[s].sharers++ :: else fi
#endif
}

inline leave_row(s) {
    if :: me -> member[s].sharers-- :: else fi;
    seen = false; me = false
}

/* The death of whoever is in slot s: `victim` is the incarnation that the accusation is about. */
inline lock_victim(s) {
#ifdef KILL_WITHOUT_FOR_UPDATE
    !member[s].locked;
#else
    !member[s].locked && member[s].sharers == 0;
#endif
    if
    :: LIVES_IN(s, victim) -> member[s].locked = true
    :: else -> victim = 0
    fi
}

inline bury(s) {
    member[s].live = false; member[s].locked = false;
    dead = dead | BIT(victim); victim = 0
}

/* A right way to take a slot whose owner is dead; joins.pml is about the races of it. */
inline take_slot(s, i) {
    member[s].sharers == 0 && !member[s].locked && !member[s].live;
    member[s].inc = i; member[s].live = true
}
