// A disk that fails on demand: wraps the calls that change files below one folder (LD_PRELOAD).
//
// SHIM_FOLDER names the folder, SHIM_CONTROL a file of 64-bit numbers that the test shares by mmap (see shim.py),
// so that faults begin and end while the program runs. Files elsewhere, sockets and pipes are left alone.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    CALLS,           // calls seen so far: writes, syncs, renames, links, unlinks
    KILL_AT,         // SIGKILL at this call, a write half done; 0: never
    SYNC_ERRNO,      // syncs fail with this ...
    SYNC_FAILURES,   // ... so many times; below 0: always
    WRITE_ERRNO,     // writes fail with this ...
    WRITE_FAILURES,  // ... so many times; below 0: always
    SYNC_DELAY,      // microseconds that a sync takes longer
    SYNC_LIES,       // syncs do nothing and report success
    SYNCS,           // syncs asked for
    SYNCS_FAILED,    // that were made to fail
    FAILED_INODE,    // of the last sync that was made to fail
    SYNCS_AGAIN,     // syncs asked for on that inode afterwards
    WRITES_FAILED,   // that were made to fail
    FIELDS
};

static volatile int64_t *control;
static const char *folder;
static size_t folder_length;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("SHIM_CONTROL");
    folder = getenv("SHIM_FOLDER");
    if (!path || !folder) return;
    folder_length = strlen(folder);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *where = mmap(NULL, FIELDS * sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (where != MAP_FAILED) control = where;
}

static int below(const char *path) {
    return control && !strncmp(path, folder, folder_length) && (path[folder_length] == '/' || !path[folder_length]);
}

static int ours(int fd) {
    char link[64], path[PATH_MAX];
    if (!control) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return below(path);
}

// Counts a call; true where the process is to die in it.
static int dies(void) {
    int64_t number = __atomic_add_fetch(&control[CALLS], 1, __ATOMIC_SEQ_CST);
    int64_t at = __atomic_load_n(&control[KILL_AT], __ATOMIC_SEQ_CST);
    return at && number >= at;
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static int fails(int number, int times) {
    int64_t error = __atomic_load_n(&control[number], __ATOMIC_SEQ_CST);
    if (!error) return 0;
    int64_t left = __atomic_load_n(&control[times], __ATOMIC_SEQ_CST);
    if (!left) return 0;
    if (left > 0) __atomic_sub_fetch(&control[times], 1, __ATOMIC_SEQ_CST);
    errno = (int)error;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int refused_write(void) {
    if (!fails(WRITE_ERRNO, WRITE_FAILURES)) return 0;
    __atomic_add_fetch(&control[WRITES_FAILED], 1, __ATOMIC_SEQ_CST);
    return 1;
}

ssize_t write(int fd, const void *data, size_t size) {
    static __typeof__(&write) real;
    if (!real) real = REAL(write);
    if (ours(fd)) {
        if (dies()) {
            real(fd, data, size / 2);
            die();
        }
        if (refused_write()) return -1;
    }
    return real(fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    static __typeof__(&pwrite64) real;
    if (!real) real = REAL(pwrite64);
    if (ours(fd)) {
        if (dies()) {
            real(fd, data, size / 2, at);
            die();
        }
        if (refused_write()) return -1;
    }
    return real(fd, data, size, at);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    static __typeof__(&writev) real;
    if (!real) real = REAL(writev);
    if (ours(fd)) {
        if (dies()) {
            real(fd, pieces, count / 2);
            die();
        }
        if (refused_write()) return -1;
    }
    return real(fd, pieces, count);
}

static int sync_one(int fd, int (*real)(int)) {
    if (!ours(fd)) return real(fd);
    struct stat status;
    int64_t inode = fstat(fd, &status) ? 0 : (int64_t)status.st_ino;
    if (dies()) die();
    __atomic_add_fetch(&control[SYNCS], 1, __ATOMIC_SEQ_CST);
    if (inode && inode == __atomic_load_n(&control[FAILED_INODE], __ATOMIC_SEQ_CST))
        __atomic_add_fetch(&control[SYNCS_AGAIN], 1, __ATOMIC_SEQ_CST);
    if (fails(SYNC_ERRNO, SYNC_FAILURES)) {
        int error = errno;
        __atomic_store_n(&control[FAILED_INODE], inode, __ATOMIC_SEQ_CST);
        __atomic_add_fetch(&control[SYNCS_FAILED], 1, __ATOMIC_SEQ_CST);
        errno = error;
        return -1;
    }
    int64_t delay = __atomic_load_n(&control[SYNC_DELAY], __ATOMIC_SEQ_CST);
    if (delay) usleep((useconds_t)delay);
    if (__atomic_load_n(&control[SYNC_LIES], __ATOMIC_SEQ_CST)) return 0;
    return real(fd);
}

int fsync(int fd) {
    static __typeof__(&fsync) real;
    if (!real) real = REAL(fsync);
    return sync_one(fd, real);
}

int fdatasync(int fd) {
    static __typeof__(&fdatasync) real;
    if (!real) real = REAL(fdatasync);
    return sync_one(fd, real);
}

int unlink(const char *path) {
    static __typeof__(&unlink) real;
    if (!real) real = REAL(unlink);
    if (below(path) && dies()) die();
    return real(path);
}

int rename(const char *from, const char *to) {
    static __typeof__(&rename) real;
    if (!real) real = REAL(rename);
    if (below(from) && dies()) die();
    return real(from, to);
}

int link(const char *from, const char *to) {
    static __typeof__(&link) real;
    if (!real) real = REAL(link);
    if (below(from) && dies()) die();
    return real(from, to);
}
