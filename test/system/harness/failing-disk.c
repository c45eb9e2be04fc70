/* Makes fsync fail with EIO, as a disk that can't keep what it was given.
 *
 * For LD_PRELOAD. While the file named by FAILING_WHEN exists, fsync and
 * fdatasync of files whose path contains FAILING_UNDER fail; everything else
 * goes to the C library. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fails(int fd) {
  const char *when = getenv("FAILING_WHEN");
  const char *under = getenv("FAILING_UNDER");
  char link[64];
  char path[PATH_MAX + 1];
  if (when == NULL || under == NULL || access(when, F_OK) != 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX);
  if (length < 0) return 0;
  path[length] = '\0';
  return strstr(path, under) != NULL;
}

static int sync_with(const char *name, int fd) {
  if (fails(fd)) {
    errno = EIO;
    return -1;
  }
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  return real(fd);
}

int fsync(int fd) { return sync_with("fsync", fd); }
int fdatasync(int fd) { return sync_with("fdatasync", fd); }
