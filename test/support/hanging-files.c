/*
 * A file system that hangs, for one process. A system call on a path below $UNSEEN_HANG_BELOW does not return while the
 * file $UNSEEN_HANG_WHILE has the call's kind among its words, or "all". Each call that waits is a line of the file
 * $UNSEEN_HANG_WHILE.waiting.
 *
 * It stands between the program and its C library (LD_PRELOAD). A descriptor, and a path that leads through
 * /proc/self/fd, is taken for the file that it stands for.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

typedef long call(long, ...);
#define CONTROL_MAX 200

static const char *below, *control;
static call *kernel;

__attribute__((constructor)) static void begin(void) {
  kernel = (call *)dlsym(RTLD_NEXT, "syscall");
  below = getenv("UNSEEN_HANG_BELOW");
  control = getenv("UNSEEN_HANG_WHILE");
}

static int is_word(const char *kind) {
  char text[CONTROL_MAX + 3] = " ";
  char wanted[40] = " ";
  long fd = kernel(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return 0;
  long length = kernel(SYS_read, fd, text + 1, CONTROL_MAX);
  kernel(SYS_close, fd);
  if (length < 0) length = 0;
  strcpy(text + 1 + length, " ");
  strcat(strcat(wanted, kind), " ");
  return strstr(text, wanted) != NULL || strstr(text, " all ") != NULL;
}

static void report(const char *kind, const char *path) {
  char name[PATH_MAX + 20], line[2 * PATH_MAX];
  strcat(strcpy(name, control), ".waiting");
  strcat(strcat(strcat(strcpy(line, kind), " "), path), "\n");
  long fd = kernel(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  kernel(SYS_write, fd, line, strlen(line));
  kernel(SYS_close, fd);
}

static void wait_for(const char *path, const char *kind) {
  size_t length = strlen(below);
  if (strncmp(path, below, length) != 0 || (path[length] != '/' && path[length] != 0)) return;
  if (!is_word(kind)) return;
  report(kind, path);
  struct timespec pause = {0, 2000000};
  while (is_word(kind)) kernel(SYS_nanosleep, &pause, NULL);
}

/* The length of the text, or -1. */
static long target(const char *link, char *path) {
  long length = kernel(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
  path[length < 0 ? 0 : length] = 0;
  return length;
}

static void number(long value, char *text) {
  char digits[24];
  int count = 0;
  do digits[count++] = '0' + value % 10;
  while ((value /= 10) > 0);
  while (count > 0) *text++ = digits[--count];
  *text = 0;
}

static void on_fd(long fd, const char *kind) {
  if (control == NULL || below == NULL || fd < 0) return;
  char link[50] = "/proc/self/fd/", path[PATH_MAX];
  number(fd, link + strlen(link));
  if (target(link, path) > 0 && path[0] == '/') wait_for(path, kind);
}

static void on_path(long directory, const char *given, const char *kind) {
  if (control == NULL || below == NULL || given == NULL) return;
  if (given[0] == 0) return on_fd(directory, kind);
  if (strlen(given) >= PATH_MAX) return;
  char start[80] = "/proc/self/fd/", path[2 * PATH_MAX] = "";
  const char *rest = given;
  if (strncmp(given, start, strlen(start)) == 0) {
    rest = given + strlen(start);
    size_t digits = strspn(rest, "0123456789");
    if (digits > 20) return;
    strncat(start, rest, digits);
    rest += digits;
    target(start, path);
  } else if (given[0] != '/') {
    if (directory == AT_FDCWD) strcpy(start, "/proc/self/cwd");
    else number(directory, start + strlen(start));
    target(start, path);
    strcat(path, "/");
  }
  wait_for(strncat(path, rest, PATH_MAX), kind);
}

static const char *sync_kind(int fd) {
  struct stat found;
  return kernel(SYS_fstat, fd, &found) == 0 && S_ISDIR(found.st_mode) ? "sync-directory" : "sync";
}

static const char *open_kind(int flags) { return (flags & O_CREAT) != 0 ? "create" : "open"; }

#define NEXT(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

#define OPEN(name)                                                        \
  int name(const char *path, int flags, ...) {                            \
    va_list more;                                                         \
    va_start(more, flags);                                                \
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;      \
    va_end(more);                                                         \
    on_path(AT_FDCWD, path, open_kind(flags));                            \
    return NEXT(int, name, const char *, int, ...)(path, flags, mode);    \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                  \
  int name(int directory, const char *path, int flags, ...) {                         \
    va_list more;                                                                     \
    va_start(more, flags);                                                            \
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;                  \
    va_end(more);                                                                     \
    on_path(directory, path, open_kind(flags));                                       \
    return NEXT(int, name, int, const char *, int, ...)(directory, path, flags, mode); \
  }
OPENAT(openat)
OPENAT(openat64)

#define BY_FD(type, name, kind, types, names) \
  type name types {                           \
    on_fd(fd, kind);                          \
    return ((type(*) types)dlsym(RTLD_NEXT, #name))names; \
  }
BY_FD(ssize_t, write, "write", (int fd, const void *from, size_t size), (fd, from, size))
BY_FD(ssize_t, writev, "write", (int fd, const struct iovec *from, int count), (fd, from, count))
BY_FD(ssize_t, pwrite64, "write", (int fd, const void *from, size_t size, off64_t at), (fd, from, size, at))
BY_FD(ssize_t, pwritev, "write", (int fd, const struct iovec *from, int count, off_t at), (fd, from, count, at))
BY_FD(ssize_t, read, "read", (int fd, void *to, size_t size), (fd, to, size))
BY_FD(ssize_t, readv, "read", (int fd, const struct iovec *to, int count), (fd, to, count))
BY_FD(ssize_t, pread64, "read", (int fd, void *to, size_t size, off64_t at), (fd, to, size, at))
BY_FD(ssize_t, preadv, "read", (int fd, const struct iovec *to, int count, off_t at), (fd, to, count, at))
BY_FD(int, fsync, sync_kind(fd), (int fd), (fd))
BY_FD(int, fdatasync, sync_kind(fd), (int fd), (fd))
BY_FD(int, ftruncate64, "write", (int fd, off64_t size), (fd, size))
BY_FD(int, fchmod, "change", (int fd, mode_t mode), (fd, mode))
BY_FD(int, fchown, "change", (int fd, uid_t uid, gid_t gid), (fd, uid, gid))
BY_FD(int, fstat, "look", (int fd, struct stat *found), (fd, found))
BY_FD(int, fstat64, "look", (int fd, struct stat64 *found), (fd, found))
BY_FD(int, __fxstat64, "look", (int version, int fd, struct stat64 *found), (version, fd, found))
BY_FD(int, fstatfs64, "statfs", (int fd, struct statfs64 *found), (fd, found))

#define BY_PATH(type, name, kind, types, names) \
  type name types {                             \
    on_path(AT_FDCWD, path, kind);              \
    return ((type(*) types)dlsym(RTLD_NEXT, #name))names; \
  }
BY_PATH(int, stat, "look", (const char *path, struct stat *found), (path, found))
BY_PATH(int, lstat, "look", (const char *path, struct stat *found), (path, found))
BY_PATH(int, stat64, "look", (const char *path, struct stat64 *found), (path, found))
BY_PATH(int, lstat64, "look", (const char *path, struct stat64 *found), (path, found))
BY_PATH(int, __xstat, "look", (int version, const char *path, struct stat *found), (version, path, found))
BY_PATH(int, __lxstat, "look", (int version, const char *path, struct stat *found), (version, path, found))
BY_PATH(int, __xstat64, "look", (int version, const char *path, struct stat64 *found), (version, path, found))
BY_PATH(int, __lxstat64, "look", (int version, const char *path, struct stat64 *found), (version, path, found))
BY_PATH(int, access, "look", (const char *path, int mode), (path, mode))
BY_PATH(ssize_t, readlink, "look", (const char *path, char *to, size_t size), (path, to, size))
BY_PATH(char *, realpath, "look", (const char *path, char *to), (path, to))
BY_PATH(int, chmod, "change", (const char *path, mode_t mode), (path, mode))
BY_PATH(int, chown, "change", (const char *path, uid_t uid, gid_t gid), (path, uid, gid))
BY_PATH(int, mkdir, "mkdir", (const char *path, mode_t mode), (path, mode))
BY_PATH(int, rmdir, "unlink", (const char *path), (path))
BY_PATH(int, unlink, "unlink", (const char *path), (path))
BY_PATH(int, rename, "rename", (const char *path, const char *to), (path, to))
BY_PATH(int, link, "rename", (const char *path, const char *to), (path, to))
BY_PATH(int, statfs64, "statfs", (const char *path, struct statfs64 *found), (path, found))
BY_PATH(DIR *, opendir, "names", (const char *path), (path))
BY_PATH(int, scandir64, "names",
        (const char *path, struct dirent64 ***found, int (*takes)(const struct dirent64 *),
         int (*compare)(const struct dirent64 **, const struct dirent64 **)),
        (path, found, takes, compare))

int statx(int directory, const char *restrict path, int flags, unsigned mask, struct statx *restrict found) {
  on_path(directory, path, "look");
  return NEXT(int, statx, int, const char *, int, unsigned, struct statx *)(directory, path, flags, mask, found);
}

int unlinkat(int directory, const char *path, int flags) {
  on_path(directory, path, "unlink");
  return NEXT(int, unlinkat, int, const char *, int)(directory, path, flags);
}

/* What Node asks of the kernel directly. */
long syscall(long number, ...) {
  long given[6];
  va_list more;
  va_start(more, number);
  for (int index = 0; index < 6; index++) given[index] = va_arg(more, long);
  va_end(more);
  if (number == SYS_statx) on_path(given[0], (const char *)given[1], "look");
  return kernel(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}
