/*
 * A disk that fails when a test says so. Loaded before libc (LD_PRELOAD), it stands in the way of the calls by which
 * SQLite changes its files. What is to fail is read from a page of memory that the test shares (mod.rs writes it).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Which calls; the same numbers as in mod.rs. */
enum { WRITE = 1, SYNC = 2, OPEN = 4 };
/* In place of an error: the process is killed, in the middle of a write. */
enum { KILL = -1 };
/* Files whose name begins so. */
static const char OURS[] = "mosaic.db";

struct orders {
    int64_t calls; /* which fail; 0: none, and then the rest counts for nothing */
    int64_t error;
    int64_t spared; /* so many of them go well before */
    int64_t times; /* so many fail; those after go well again */
    int64_t failed; /* so many have failed so far */
};
static struct orders *orders;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("MOSAIC_TEST_DISK");
    if (path == NULL) return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (fd < 0) abort();
    void *page = mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) abort();
    orders = page;
    syscall(SYS_close, fd);
}

static int named_ours(const char *path) {
    const char *slash = strrchr(path, '/');
    return strncmp(slash != NULL ? slash + 1 : path, OURS, sizeof OURS - 1) == 0;
}

static int ordered(int64_t call) {
    return orders != NULL && (__atomic_load_n(&orders->calls, __ATOMIC_SEQ_CST) & call) != 0;
}

/* Whether this call is one that fails; it is one of our files'. */
static int strikes(void) {
    if (__atomic_fetch_sub(&orders->spared, 1, __ATOMIC_SEQ_CST) > 0) return 0;
    if (__atomic_fetch_sub(&orders->times, 1, __ATOMIC_SEQ_CST) <= 0) return 0;
    __atomic_fetch_add(&orders->failed, 1, __ATOMIC_SEQ_CST);
    return 1;
}

/* Fails as ordered; does not come back where the process is to die. */
static int fails(void) {
    if (orders->error == KILL) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    errno = (int)orders->error;
    return -1;
}

static int struck(int64_t call, int fd) {
    if (!ordered(call)) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = '\0';
    return named_ours(path) && strikes();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t count) {
    static ssize_t (*real)(int, const void *, size_t);
    if (real == NULL) real = REAL(write);
    if (!struck(WRITE, fd)) return real(fd, bytes, count);
    if (orders->error == KILL) real(fd, bytes, count / 2);
    return fails();
}

#define PWRITE(name, offset_type)                                                        \
    ssize_t name(int fd, const void *bytes, size_t count, offset_type at) {              \
        static ssize_t (*real)(int, const void *, size_t, offset_type);                  \
        if (real == NULL) real = (__typeof__(real))dlsym(RTLD_NEXT, #name);              \
        if (!struck(WRITE, fd)) return real(fd, bytes, count, at);                       \
        if (orders->error == KILL) real(fd, bytes, count / 2, at);                       \
        return fails();                                                                  \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define ON_A_FILE(name, call)                                                            \
    int name(int fd) {                                                                   \
        static int (*real)(int);                                                         \
        if (real == NULL) real = REAL(name);                                             \
        return struck(call, fd) ? fails() : real(fd);                                    \
    }
ON_A_FILE(fsync, SYNC)
ON_A_FILE(fdatasync, SYNC)

#define TRUNCATE(name, offset_type)                                                      \
    int name(int fd, offset_type length) {                                               \
        static int (*real)(int, offset_type);                                            \
        if (real == NULL) real = (__typeof__(real))dlsym(RTLD_NEXT, #name);              \
        return struck(WRITE, fd) ? fails() : real(fd, length);                           \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define OPENS(name)                                                                      \
    int name(const char *path, int flags, ...) {                                         \
        static int (*real)(const char *, int, ...);                                      \
        if (real == NULL) real = REAL(name);                                             \
        mode_t mode = 0;                                                                 \
        if ((flags & (O_CREAT | O_TMPFILE)) != 0) {                                      \
            va_list rest;                                                                \
            va_start(rest, flags);                                                       \
            mode = va_arg(rest, mode_t);                                                 \
            va_end(rest);                                                                \
        }                                                                                \
        int changes = (flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0;                      \
        if (changes && ordered(OPEN) && named_ours(path) && strikes()) return fails();   \
        return real(path, flags, mode);                                                  \
    }
OPENS(open)
OPENS(open64)
