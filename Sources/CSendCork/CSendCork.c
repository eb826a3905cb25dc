#define _GNU_SOURCE  // RTLD_DEFAULT
#include "CSendCork.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct flotilla_cork {
    int fd;
    size_t start;  // of what is not sent yet
    size_t end;
    size_t capacity;
    char bytes[];
};

static _Thread_local flotilla_cork *held;

flotilla_cork *flotilla_cork_create(int fd, size_t capacity) {
    flotilla_cork *cork = malloc(sizeof *cork + capacity);
    if (cork == NULL) return NULL;
    cork->fd = fd;
    cork->start = cork->end = 0;
    cork->capacity = capacity;
    return cork;
}

void flotilla_cork_destroy(flotilla_cork *cork) { free(cork); }
void flotilla_cork_release(flotilla_cork *before) { held = before; }

flotilla_cork *flotilla_cork_hold(flotilla_cork *cork) {
    flotilla_cork *before = held;
    held = cork;
    return before;
}

bool flotilla_cork_is_in_place(void) { return dlsym(RTLD_DEFAULT, "send") == (void *)send; }

bool flotilla_cork_is_empty(const flotilla_cork *cork) { return cork->start == cork->end; }

static ssize_t system_send(int fd, const void *bytes, size_t count, int flags) {
    return sendto(fd, bytes, count, flags, NULL, 0);
}

int flotilla_cork_flush(flotilla_cork *cork) {
    while (cork->start < cork->end) {
        ssize_t sent = system_send(cork->fd, cork->bytes + cork->start, cork->end - cork->start, MSG_NOSIGNAL);
        if (sent >= 0) {
            cork->start += (size_t)sent;
        } else if (errno != EINTR) {
            return errno == EAGAIN || errno == EWOULDBLOCK ? 1 : -1;
        }
    }
    cork->start = cork->end = 0;
    return 0;
}

// What is too big for an empty cork goes straight to the socket: copying it would save nothing.
static ssize_t collect(flotilla_cork *cork, const void *bytes, size_t count, int flags) {
    if (count > cork->capacity - cork->end) {
        int left = flotilla_cork_flush(cork);
        if (left < 0) return -1;
        if (left > 0) {
            errno = EAGAIN;
            return -1;
        }
        if (count > cork->capacity) return system_send(cork->fd, bytes, count, flags);
    }
    memcpy(cork->bytes + cork->end, bytes, count);
    cork->end += count;
    return (ssize_t)count;
}

// The name that libpq looks for. The first definition in the order of loading wins, and that is the program's.
ssize_t send(int fd, const void *bytes, size_t count, int flags) {
    flotilla_cork *cork = held;
    if (cork == NULL || cork->fd != fd) return system_send(fd, bytes, count, flags);
    return collect(cork, bytes, count, flags);
}
