// Preloaded into a program under test: makes one call of the C library fail, or the clock jump. Linux.
//   FAIL_CALL   name of the call: openat, write, pwrite, fallocate, ftruncate, fdatasync, fsync, rename, mkdir, flock
//   FAIL_ERRNO  what it fails with; 0: it says that all went well, and does nothing
//   FAIL_UNDER  only for files below this folder
//   FAIL_AFTER  so many such calls succeed before
//   FAIL_MARK   this file appears when a call was made to fail
//   CLOCK_JUMPS the time of day is a year ahead and a year back by turns
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static atomic_long seen;

static int below(const char* path) {
  const char* under = getenv("FAIL_UNDER");
  return under && strncmp(path, under, strlen(under)) == 0;
}

static int fails_at(const char* call, const char* path) {
  const char* wanted = getenv("FAIL_CALL");
  if (!wanted || strcmp(wanted, call) != 0 || !below(path)) return 0;
  const char* after = getenv("FAIL_AFTER");
  if (atomic_fetch_add(&seen, 1) < (after ? atol(after) : 0)) return 0;
  const char* mark = getenv("FAIL_MARK");
  if (mark) close(REAL(open)(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
  errno = atoi(getenv("FAIL_ERRNO"));
  return 1;
}

static int fails(const char* call, int folder, const char* name) {
  char link[64], path[PATH_MAX * 2];
  ssize_t length = 0;
  if (!getenv("FAIL_CALL")) return 0;
  if (!name || (name[0] != '/' && folder != AT_FDCWD)) {
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    length = readlink(link, path, PATH_MAX);
    if (length < 0) length = 0;
    path[length++] = '/';
  }
  snprintf(path + length, sizeof path - length, "%s", name ? name : "");
  return fails_at(call, path);
}
static int result(void) { return errno == 0 ? 0 : -1; }

static int open_mode(int flags, va_list more) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(more, int) : 0; }

#define OPEN(symbol)                                                             \
  int symbol(const char* path, int flags, ...) {                                 \
    va_list more;                                                                \
    va_start(more, flags);                                                       \
    const int mode = open_mode(flags, more);                                     \
    va_end(more);                                                                \
    if ((flags & O_CREAT) && fails("openat", AT_FDCWD, path)) return result();   \
    return REAL(symbol)(path, flags, mode);                                      \
  }
#define OPENAT(symbol)                                                           \
  int symbol(int folder, const char* path, int flags, ...) {                     \
    va_list more;                                                                \
    va_start(more, flags);                                                       \
    const int mode = open_mode(flags, more);                                     \
    va_end(more);                                                                \
    if ((flags & O_CREAT) && fails("openat", folder, path)) return result();     \
    return REAL(symbol)(folder, path, flags, mode);                              \
  }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void* bytes, size_t count) {
  return fails("write", fd, NULL) ? result() : REAL(write)(fd, bytes, count);
}
ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
  return fails("pwrite", fd, NULL) ? result() : REAL(pwrite)(fd, bytes, count, offset);
}
ssize_t pwrite64(int fd, const void* bytes, size_t count, off64_t offset) {
  return fails("pwrite", fd, NULL) ? result() : REAL(pwrite64)(fd, bytes, count, offset);
}
int fallocate(int fd, int mode, off_t offset, off_t length) {
  return fails("fallocate", fd, NULL) ? result() : REAL(fallocate)(fd, mode, offset, length);
}
int ftruncate(int fd, off_t length) {
  return fails("ftruncate", fd, NULL) ? result() : REAL(ftruncate)(fd, length);
}
int fdatasync(int fd) { return fails("fdatasync", fd, NULL) ? result() : REAL(fdatasync)(fd); }
int fsync(int fd) { return fails("fsync", fd, NULL) ? result() : REAL(fsync)(fd); }
int flock(int fd, int operation) {
  return fails("flock", fd, NULL) ? result() : ((int (*)(int, int))dlsym(RTLD_NEXT, "flock"))(fd, operation);
}
int rename(const char* from, const char* to) {
  return fails("rename", AT_FDCWD, to) ? result() : REAL(rename)(from, to);
}
int renameat(int from_folder, const char* from, int to_folder, const char* to) {
  return fails("rename", to_folder, to) ? result() : REAL(renameat)(from_folder, from, to_folder, to);
}
int mkdir(const char* path, mode_t mode) { return fails("mkdir", AT_FDCWD, path) ? result() : REAL(mkdir)(path, mode); }
int mkdirat(int folder, const char* path, mode_t mode) {
  return fails("mkdir", folder, path) ? result() : REAL(mkdirat)(folder, path, mode);
}

static long jump(void) {
  if (!getenv("CLOCK_JUMPS")) return 0;
  const long year = 365L * 24 * 3600;
  return atomic_fetch_add(&seen, 1) % 2 ? year : -year;
}
int clock_gettime(clockid_t clock, struct timespec* time) {
  const int code = REAL(clock_gettime)(clock, time);
  if (clock == CLOCK_REALTIME) time->tv_sec += jump();
  return code;
}
int gettimeofday(struct timeval* restrict time, void* restrict zone) {
  const int code = REAL(gettimeofday)(time, zone);
  time->tv_sec += jump();
  return code;
}
time_t time(time_t* out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
