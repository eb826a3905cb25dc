// Collects what libpq sends, so that many statements leave in one system call.
//
// Libpq flushes at every sync, and each statement needs a sync of its own. It writes with send(2) and finds it
// by its name, so this target's `send` takes its place in the whole process. It is the system's own for
// everybody, except on a thread that holds a cork: what is sent to the cork's descriptor there goes into the
// cork and leaves with `flotilla_cork_flush`. Where the name is not taken over (another linker, another
// libpq), corks stay empty and every statement leaves by itself, as without them.
#pragma once
#include <stdbool.h>
#include <stddef.h>

typedef struct flotilla_cork flotilla_cork;

/// A cork for a non-blocking socket; NULL when there is no memory. It does not own the descriptor.
flotilla_cork *flotilla_cork_create(int fd, size_t capacity);
/// Forgets what was not flushed. The calling thread must not hold the cork.
void flotilla_cork_destroy(flotilla_cork *cork);

/// From here on this thread's `send` to the descriptor fills the cork; a full one asks the sender to wait (EAGAIN).
/// Answers the cork that it held before, NULL for none: hand it to `flotilla_cork_release`, so that holds nest.
flotilla_cork *flotilla_cork_hold(flotilla_cork *cork);
void flotilla_cork_release(flotilla_cork *before);

/// Whether the process's libraries find this target's `send`; else corks stay empty.
bool flotilla_cork_is_in_place(void);

/// Sends what was collected: 0 when all of it is out, 1 when the socket takes no more now, -1 with errno.
int flotilla_cork_flush(flotilla_cork *cork);
bool flotilla_cork_is_empty(const flotilla_cork *cork);
