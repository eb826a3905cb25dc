// What Linux offers and the Glibc module does not: readiness, paths that cannot leave a folder, renames that
// cannot replace, and children that die with their parent. Every function answers like the system call below
// it: a negative value means failure, and then errno says why.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// MARK: Readiness

enum {
    FLOTILLA_READABLE = 1,
    FLOTILLA_WRITABLE = 2,
    FLOTILLA_HUNG_UP = 4,  // reported whether asked for or not
};

typedef struct {
    uint64_t token;
    uint32_t readiness;
} flotilla_event;

int flotilla_epoll_create(void);
/// Level-triggered. `readiness` is a set of the flags above.
int flotilla_epoll_add(int epoll, int fd, uint32_t readiness, uint64_t token);
int flotilla_epoll_change(int epoll, int fd, uint32_t readiness, uint64_t token);
int flotilla_epoll_remove(int epoll, int fd);
/// Fills at most `capacity` events; a negative timeout waits for ever. An interrupted wait answers 0.
int flotilla_epoll_wait(int epoll, flotilla_event *events, int capacity, int timeout_ms);
int flotilla_eventfd(void);
void flotilla_eventfd_signal(int fd);
void flotilla_eventfd_drain(int fd);

// MARK: Files

/// openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS, retried on EAGAIN a few times.
int flotilla_open_beneath(int folder, const char *path, int flags, mode_t mode);
/// renameat2(2) with RENAME_NOREPLACE.
int flotilla_rename_no_replace(int old_folder, const char *old_name, int new_folder, const char *new_name);

typedef struct {
    uint64_t device;
    uint64_t inode;
    uint64_t size;
    uint32_t mode;
    uint32_t links;
    int64_t modified_ns;  // since 1970
    int64_t changed_ns;
    int64_t born_ns;  // 0 where the file system does not know
} flotilla_file_status;

/// statx(2) of a name in a folder, never following a final link; an empty name means the folder's own descriptor.
int flotilla_status(int folder, const char *name, flotilla_file_status *status);

/// O_PATH: a descriptor for looking at something, not into it.
extern const int flotilla_path_only;

/// Lets this process have as many descriptors open as it may allow itself, up to so many.
int flotilla_raise_open_files(uint64_t most);

/// Names the calling thread, for those who look at a process; 15 bytes of it are kept.
int flotilla_name_thread(const char *name);

/// sync_file_range(2) with SYNC_FILE_RANGE_WRITE: asks the kernel to begin writing that part to disk.
int flotilla_start_writing_out(int fd, int64_t offset, int64_t count);

/// copy_file_range(2) to the same place in another file; answers how many bytes, 0 at the source's end.
int64_t flotilla_copy_range(int from, int to, int64_t offset, int64_t place, int64_t count);

/// The same, but only as far as nothing has to be fetched: -1 and EAGAIN else. Opens for reading.
int flotilla_open_cached(int folder, const char *path, int flags);
/// preadv2(2) with RWF_NOWAIT: what lies in the page cache; -1 and EAGAIN when the first byte does not.
int64_t flotilla_read_cached(int fd, void *bytes, int64_t count, int64_t offset);

/// Tells ext4 that the folders in this one have nothing to do with each other (`chattr +T`), so that each gets a part of the
/// disk of its own. Other file systems refuse.
int flotilla_spread_subfolders(int fd);

/// Whether the file system is one of this machine's own disks or memory, so that reading what is cached asks nobody else.
/// 1 yes, 0 no.
int flotilla_is_local(int fd);
/// Whether all of that part of a file lies in the page cache: 1 yes, 0 no or not known. Never blocks.
int flotilla_is_cached(int fd, int64_t offset, int64_t count);
/// Brings that part of a file into the page cache; blocks. 0 when it was read, as far as the file goes.
int flotilla_bring_in(int fd, int64_t offset, int64_t count);

/// getdents64(2): the next entries of an open folder, as the kernel packs them; answers how many bytes, 0 at the end.
int64_t flotilla_read_folder(int fd, void *buffer, size_t size);

/// A file without a name in the folder (O_TMPFILE); not every file system can.
int flotilla_open_nameless(int folder, mode_t mode);
/// Gives an open file without a name one in that folder, where nothing has it; needs /proc.
int flotilla_link_nameless(int fd, int folder, const char *name);

// MARK: Processes

typedef struct {
    const char *path;         // absolute
    char *const *arguments;   // from argv[0], ended by NULL
    char *const *environment; // ended by NULL
    const char *folder;       // working folder, or NULL
    int output;               // becomes standard output and standard error; -1 leaves them
    int death_signal;         // sent to the child when the THREAD that spawned it ends; 0 for none
    bool new_session;         // keeps the terminal's Ctrl-C away from it
    bool change_user;         // to `user` and `group`, without supplementary groups
    uid_t user;
    gid_t group;
} flotilla_child;

/// Forks and executes. Answers the process id, or -1 with the errno of the step that failed, exec included.
pid_t flotilla_spawn(const flotilla_child *child);
/// Gives up root for good: supplementary groups, group, user; then makes sure that it cannot come back.
int flotilla_drop_rights(const char *user_name, uid_t user, gid_t group);
