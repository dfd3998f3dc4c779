/* What a machine does to a program, on demand: a disk that is full, one that cannot be written to, a clock that was put
   back. Loaded before the C library (LD_PRELOAD), so that Python, SQLite and everything else meets it.

   FAULTS        a folder; while it holds a file `full` or `readonly`, that fault is there
   FAULTS_UNDER  files below this folder are hit, and no others
   FAULTS_CLOCK  seconds added to the time of day, from the start of the process on */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int is_on(const char *fault) {
    const char *folder = getenv("FAULTS");
    char path[4096];
    if (!folder) return 0;
    snprintf(path, sizeof path, "%s/%s", folder, fault);
    return access(path, F_OK) == 0;
}

static int is_under(const char *path) {
    const char *under = getenv("FAULTS_UNDER");
    size_t length = under ? strlen(under) : 0;
    return length && path && strncmp(path, under, length) == 0 && (path[length] == '/' || !path[length]);
}

static int hits(const char *fault, const char *path) {
    int before = errno, hit = is_under(path) && is_on(fault);
    errno = before;
    return hit;
}

static int no_space(int file) {
    char link[64], path[4096];
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    if (length < 0) return 0;
    path[length] = 0;
    return hits("full", path);
}

#define REFUSE(condition, error) do { if (condition) { errno = error; return -1; } } while (0)

ssize_t write(int file, const void *bytes, size_t count) {
    REFUSE(no_space(file), ENOSPC);
    return REAL(write)(file, bytes, count);
}
ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) {
    REFUSE(no_space(file), ENOSPC);
    return REAL(pwrite)(file, bytes, count, at);
}
ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
    REFUSE(no_space(file), ENOSPC);
    return REAL(pwrite64)(file, bytes, count, at);
}
ssize_t writev(int file, const struct iovec *pieces, int count) {
    REFUSE(no_space(file), ENOSPC);
    return REAL(writev)(file, pieces, count);
}
ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t count, unsigned flags) {
    REFUSE(no_space(to), ENOSPC);
    return REAL(copy_file_range)(from, from_at, to, to_at, count, flags);
}
ssize_t sendfile64(int to, int from, off64_t *at, size_t count) {
    REFUSE(no_space(to), ENOSPC);
    ssize_t (*real)(int, int, off64_t *, size_t) = dlsym(RTLD_NEXT, "sendfile64");
    return real(to, from, at, count);
}

static mode_t mode_in(int flags, va_list more) { return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(more, mode_t) : 0; }
static int changes(int flags) { return flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC); }

#define OPEN(name)                                                             \
    int name(const char *path, int flags, ...) {                               \
        va_list more;                                                          \
        va_start(more, flags);                                                 \
        mode_t mode = mode_in(flags, more);                                    \
        va_end(more);                                                          \
        REFUSE(changes(flags) && hits("readonly", path), EROFS);               \
        return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name))(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                           \
    int name(int folder, const char *path, int flags, ...) {                   \
        va_list more;                                                          \
        va_start(more, flags);                                                 \
        mode_t mode = mode_in(flags, more);                                    \
        va_end(more);                                                          \
        REFUSE(changes(flags) && hits("readonly", path), EROFS);               \
        return ((int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, #name))(folder, path, flags, mode); \
    }
OPENAT(openat)
OPENAT(openat64)

int mkdir(const char *path, mode_t mode) {
    struct stat found;
    REFUSE(hits("readonly", path) && stat(path, &found) != 0, EROFS); /* one that is there is EEXIST, as ever */
    return REAL(mkdir)(path, mode);
}
int rename(const char *from, const char *to) {
    REFUSE(hits("readonly", to), EROFS);
    return REAL(rename)(from, to);
}
int unlink(const char *path) {
    REFUSE(hits("readonly", path), EROFS);
    return REAL(unlink)(path);
}
int chmod(const char *path, mode_t mode) {
    REFUSE(hits("readonly", path), EROFS);
    return REAL(chmod)(path, mode);
}

static time_t offset(void) {
    const char *text = getenv("FAULTS_CLOCK");
    return text ? atol(text) : 0;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = REAL(clock_gettime)(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += offset();
    return failed;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int (*real)(struct timeval *, void *) = dlsym(RTLD_NEXT, "gettimeofday");
    int failed = real(now, zone);
    if (!failed) now->tv_sec += offset();
    return failed;
}
time_t time(time_t *where) {
    time_t now = REAL(time)(NULL) + offset();
    if (where) *where = now;
    return now;
}
