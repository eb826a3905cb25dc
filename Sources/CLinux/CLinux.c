#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

// MARK: Readiness

int flotilla_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

static struct epoll_event event_of(uint32_t readiness, uint64_t token) {
    struct epoll_event event = {.events = 0, .data.u64 = token};
    if (readiness & FLOTILLA_READABLE) event.events |= EPOLLIN;
    if (readiness & FLOTILLA_WRITABLE) event.events |= EPOLLOUT;
    return event;
}

int flotilla_epoll_add(int epoll, int fd, uint32_t readiness, uint64_t token) {
    struct epoll_event event = event_of(readiness, token);
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int flotilla_epoll_change(int epoll, int fd, uint32_t readiness, uint64_t token) {
    struct epoll_event event = event_of(readiness, token);
    return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

int flotilla_epoll_remove(int epoll, int fd) { return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL); }

int flotilla_epoll_wait(int epoll, flotilla_event *events, int capacity, int timeout_ms) {
    struct epoll_event raw[256];
    if (capacity > 256) capacity = 256;
    int count = epoll_wait(epoll, raw, capacity, timeout_ms);
    if (count < 0) return errno == EINTR ? 0 : -1;
    for (int i = 0; i < count; i++) {
        uint32_t readiness = 0;
        if (raw[i].events & EPOLLIN) readiness |= FLOTILLA_READABLE;
        if (raw[i].events & EPOLLOUT) readiness |= FLOTILLA_WRITABLE;
        if (raw[i].events & (EPOLLHUP | EPOLLERR)) readiness |= FLOTILLA_HUNG_UP;
        events[i] = (flotilla_event){.token = raw[i].data.u64, .readiness = readiness};
    }
    return count;
}

int flotilla_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

void flotilla_eventfd_signal(int fd) {
    uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {}
}

void flotilla_eventfd_drain(int fd) {
    uint64_t count;
    while (read(fd, &count, sizeof count) < 0 && errno == EINTR) {}
}

// MARK: Files

int flotilla_open_beneath(int folder, const char *path, int flags, mode_t mode) {
    struct open_how how = {
        .flags = (uint64_t)flags | O_CLOEXEC,
        .mode = (flags & (O_CREAT | __O_TMPFILE)) ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    // The kernel answers EAGAIN when a rename elsewhere in the tree raced with the look-up.
    for (int attempt = 0; attempt < 64; attempt++) {
        int fd = (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) return fd;
    }
    return -1;
}

int flotilla_open_cached(int folder, const char *path, int flags) {
#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20  // Linux 5.12; before, EINVAL
#endif
    struct open_how how = {
        .flags = (uint64_t)flags | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_CACHED,
    };
    return (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}

int64_t flotilla_read_cached(int fd, void *bytes, int64_t count, int64_t offset) {
    struct iovec part = {bytes, (size_t)count};
    return preadv2(fd, &part, 1, offset, RWF_NOWAIT);
}

int flotilla_rename_no_replace(int old_folder, const char *old_name, int new_folder, const char *new_name) {
    return renameat2(old_folder, old_name, new_folder, new_name, RENAME_NOREPLACE);
}

static int64_t nanoseconds(struct statx_timestamp time) { return time.tv_sec * 1000000000LL + time.tv_nsec; }

int flotilla_status(int folder, const char *name, flotilla_file_status *status) {
    struct statx raw;
    int flags = AT_SYMLINK_NOFOLLOW | (name[0] == 0 ? AT_EMPTY_PATH : 0);
    if (statx(folder, name, flags, STATX_BASIC_STATS | STATX_BTIME, &raw) < 0) return -1;
    *status = (flotilla_file_status){
        .device = ((uint64_t)raw.stx_dev_major << 32) | raw.stx_dev_minor,
        .inode = raw.stx_ino,
        .size = raw.stx_size,
        .mode = raw.stx_mode,
        .links = raw.stx_nlink,
        .modified_ns = nanoseconds(raw.stx_mtime),
        .changed_ns = nanoseconds(raw.stx_ctime),
        .born_ns = (raw.stx_mask & STATX_BTIME) ? nanoseconds(raw.stx_btime) : 0,
    };
    return 0;
}

const int flotilla_path_only = O_PATH;

int flotilla_raise_open_files(uint64_t most) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -1;
    rlim_t wanted = limit.rlim_max < most ? limit.rlim_max : most;
    if (limit.rlim_cur >= wanted) return 0;
    limit.rlim_cur = wanted;
    return setrlimit(RLIMIT_NOFILE, &limit);
}

int flotilla_name_thread(const char *name) { return prctl(PR_SET_NAME, name); }

int flotilla_start_writing_out(int fd, int64_t offset, int64_t count) {
    return sync_file_range(fd, offset, count, SYNC_FILE_RANGE_WRITE);
}

int64_t flotilla_copy_range(int from, int to, int64_t offset, int64_t place, int64_t count) {
    loff_t source = offset, target = place;
    return copy_file_range(from, &source, to, &target, (size_t)count, 0);
}

int flotilla_spread_subfolders(int fd) {
    int flags = 0;
    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0) return -1;
    if (flags & FS_TOPDIR_FL) return 0;
    flags |= FS_TOPDIR_FL;
    return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

int flotilla_is_local(int fd) {
    struct statfs found;
    if (fstatfs(fd, &found) < 0) return 0;
    switch ((unsigned long)found.f_type) {
    case 0xEF53:      // ext2, ext3, ext4
    case 0x58465342:  // XFS
    case 0x9123683E:  // Btrfs
    case 0xF2F52010:  // F2FS
    case 0xCA451A4E:  // bcachefs
    case 0x2FC12FC1:  // ZFS
    case 0x01021994:  // tmpfs
        return 1;
    default: return 0;
    }
}

int flotilla_is_cached(int fd, int64_t offset, int64_t count) {
#ifndef SYS_cachestat
#define SYS_cachestat 451  // the same on every architecture; Linux 6.5
#endif
    struct { uint64_t offset, count; } range = {(uint64_t)offset, (uint64_t)count};
    struct { uint64_t cached, dirty, writeback, evicted, recently_evicted; } found;
    if (syscall(SYS_cachestat, fd, &range, &found, 0) < 0) return 0;
    const int64_t page = sysconf(_SC_PAGESIZE);
    const int64_t pages = (offset + count - 1) / page - offset / page + 1;
    return (int64_t)found.cached >= pages;
}

int flotilla_bring_in(int fd, int64_t offset, int64_t count) {
    // Asked for at once, then waited for: a byte of each 128 KiB, the kernel's usual window.
    (void)readahead(fd, offset, (size_t)count);
    char byte;
    for (int64_t place = offset; place < offset + count; place += 128 * 1024)
        if (pread(fd, &byte, 1, place) < 0 && errno != EINTR) return -1;
    return pread(fd, &byte, 1, offset + count - 1) < 0 && errno != EINTR ? -1 : 0;
}

int64_t flotilla_read_folder(int fd, void *buffer, size_t size) {
    return syscall(SYS_getdents64, fd, buffer, size);
}

int flotilla_open_nameless(int folder, mode_t mode) {
    return openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
}

int flotilla_link_nameless(int fd, int folder, const char *name) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, path, folder, name, AT_SYMLINK_FOLLOW);
}

// MARK: Processes

// Runs in the child: only what is safe between fork and exec.
static void become(const flotilla_child *child, int report, pid_t parent) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < 32; number++) signal(number, SIG_DFL);
    if (child->new_session && setsid() < 0) goto failed;
    if (child->output >= 0) {
        if (dup2(child->output, 1) < 0 || dup2(child->output, 2) < 0) goto failed;
    }
    if (child->change_user) {
        if (setgroups(0, NULL) < 0 || setgid(child->group) < 0 || setuid(child->user) < 0) goto failed;
    }
    if (child->death_signal != 0) {  // A change of user clears it, so it comes after.
        if (prctl(PR_SET_PDEATHSIG, child->death_signal) < 0) goto failed;
        if (getppid() != parent) raise(child->death_signal);  // The parent died before we asked.
    }
    if (child->folder != NULL && chdir(child->folder) < 0) goto failed;
    execve(child->path, child->arguments, child->environment);
failed:;
    int reason = errno;
    while (write(report, &reason, sizeof reason) < 0 && errno == EINTR) {}
    _exit(127);
}

pid_t flotilla_spawn(const flotilla_child *child) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0) return -1;
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) become(child, report[1], parent);
    int fork_failure = errno;
    close(report[1]);
    if (pid < 0) {
        close(report[0]);
        errno = fork_failure;
        return -1;
    }
    int reason = 0;
    ssize_t count;
    while ((count = read(report[0], &reason, sizeof reason)) < 0 && errno == EINTR) {}
    close(report[0]);
    if (count == (ssize_t)sizeof reason) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
        errno = reason;
        return -1;
    }
    return pid;
}

int flotilla_drop_rights(const char *user_name, uid_t user, gid_t group) {
    if (initgroups(user_name, group) < 0 || setgid(group) < 0 || setuid(user) < 0) return -1;
    if (setuid(0) == 0) {  // It must be impossible.
        errno = EPERM;
        return -1;
    }
    return 0;
}
