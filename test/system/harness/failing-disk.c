/* Makes a disk fail: fsync with EIO, as one that can't keep what it was given, or
 * writes with ENOSPC, as a full one.
 *
 * For LD_PRELOAD. While the file named by FAILING_WHEN exists, what FAILING_CALL
 * names, fsync or write, fails for files whose path contains FAILING_UNDER;
 * everything else goes to the C library. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(const char *call, int fd) {
  const char *failing = getenv("FAILING_CALL");
  const char *when = getenv("FAILING_WHEN");
  const char *under = getenv("FAILING_UNDER");
  char link[64];
  char path[PATH_MAX + 1];
  if (failing == NULL || strcmp(failing, call) != 0) return 0;
  if (when == NULL || under == NULL || access(when, F_OK) != 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX);
  if (length < 0) return 0;
  path[length] = '\0';
  return strstr(path, under) != NULL;
}

static int sync_with(const char *name, int fd) {
  if (fails("fsync", fd)) {
    errno = EIO;
    return -1;
  }
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  return real(fd);
}

int fsync(int fd) { return sync_with("fsync", fd); }
int fdatasync(int fd) { return sync_with("fdatasync", fd); }

ssize_t write(int fd, const void *bytes, size_t count) {
  if (fails("write", fd)) {
    errno = ENOSPC;
    return -1;
  }
  ssize_t (*real)(int, const void *, size_t) =
      (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
  return real(fd, bytes, count);
}

static ssize_t pwrite_with(const char *name, int fd, const void *bytes, size_t count, off64_t at) {
  if (fails("write", fd)) {
    errno = ENOSPC;
    return -1;
  }
  ssize_t (*real)(int, const void *, size_t, off64_t) =
      (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, name);
  return real(fd, bytes, count, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
  return pwrite_with("pwrite", fd, bytes, count, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  return pwrite_with("pwrite64", fd, bytes, count, at);
}
