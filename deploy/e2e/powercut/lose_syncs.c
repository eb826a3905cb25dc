/* Preloaded into a node, it makes the node forget to sync: the power-cut test has to notice.
 *
 * LOSE_SYNCS: `all`, `files` or `folders`, below the folder LOSE_SYNCS_BELOW. Everybody else's syncs are real. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_lost(int fd)
{
    const char *which = getenv("LOSE_SYNCS"), *below = getenv("LOSE_SYNCS_BELOW");
    char name[64], path[4096];
    struct stat status;
    if (!which || !below)
        return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(name, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    if (strncmp(path, below, strlen(below)) != 0 || fstat(fd, &status) != 0)
        return 0;
    return !strcmp(which, "all") || !strcmp(which, S_ISDIR(status.st_mode) ? "folders" : "files");
}

int fsync(int fd) { return is_lost(fd) ? 0 : (int)syscall(SYS_fsync, fd); }

int fdatasync(int fd) { return is_lost(fd) ? 0 : (int)syscall(SYS_fdatasync, fd); }

int syncfs(int fd) { return is_lost(fd) ? 0 : (int)syscall(SYS_syncfs, fd); }
