/*
 * What two threads and two processes need at least to answer each other on this machine, without any runtime around them:
 *
 *     ping-pong futex|pipe|socket <milliseconds>
 *
 * Prints the nanoseconds of each round trip, one a line. Started by bench/subjects/c-floor.ts.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { max_samples = 200000, payload_bytes = 100 };

static uint64_t now_ns(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

/* Whose turn it is: 0 the asker's, 1 the answerer's, 2 nobody's any more. */
static _Atomic uint32_t turn;

static void set_turn(uint32_t to) {
  atomic_store(&turn, to);
  syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Waits while it is the other one's turn. */
static uint32_t wait_while(uint32_t others) {
  uint32_t seen;
  while ((seen = atomic_load(&turn)) == others) {
    syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, others, NULL, NULL, 0);
  }
  return seen;
}

static void *answer_by_futex(void *unused) {
  (void)unused;
  while (wait_while(0) == 1) set_turn(0);
  return NULL;
}

static int to_far, from_far;

static void move(int fd, int writes) {
  static char bytes[payload_bytes];
  size_t done = 0;
  while (done < payload_bytes) {
    ssize_t moved = writes ? write(fd, bytes + done, payload_bytes - done) : read(fd, bytes + done, payload_bytes - done);
    if (moved <= 0) _exit(0);
    done += (size_t)moved;
  }
}

static void ask_by_futex(void) {
  set_turn(1);
  wait_while(1);
}

static void ask_by_bytes(void) {
  move(to_far, 1);
  move(from_far, 0);
}

static void start_far_process(int is_socket) {
  int there[2], back[2];
  if (is_socket) {
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, there) != 0) exit(1);
    back[0] = there[0];
    back[1] = there[1];
  } else if (pipe(there) != 0 || pipe(back) != 0) {
    exit(1);
  }
  /* A socket pair is one descriptor per side; two pipes are one per direction. */
  int far_reads = is_socket ? there[1] : there[0], far_writes = back[1];
  to_far = is_socket ? there[0] : there[1];
  from_far = back[0];
  if (fork() == 0) {
    close(to_far);
    if (from_far != to_far) close(from_far);
    for (;;) {
      move(far_reads, 0);
      move(far_writes, 1);
    }
  }
  close(far_reads);
  if (far_writes != far_reads) close(far_writes);
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  int by_futex = strcmp(arguments[1], "futex") == 0;
  static uint64_t samples[max_samples];
  size_t taken = 0;
  pthread_t far;
  if (by_futex) {
    if (pthread_create(&far, NULL, answer_by_futex, NULL) != 0) return 1;
  } else {
    start_far_process(strcmp(arguments[1], "socket") == 0);
  }
  uint64_t from = now_ns();
  uint64_t until = from + strtoull(arguments[2], NULL, 10) * 1000000u;
  /* One round trip at least: on a busy machine the first may take all the time. */
  while (taken == 0 || (from < until && taken < max_samples)) {
    if (by_futex) ask_by_futex();
    else ask_by_bytes();
    uint64_t at = now_ns();
    samples[taken++] = at - from;
    from = at;
  }
  if (by_futex) {
    set_turn(2);
    pthread_join(far, NULL);
  }
  for (size_t index = 0; index < taken; index++) printf("%llu\n", (unsigned long long)samples[index]);
  return 0;
}
