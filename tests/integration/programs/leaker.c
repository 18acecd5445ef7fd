/* SPDX-License-Identifier: MIT
 * A small program that leaves segments behind, told by its arguments what to do, in their order:
 *   open NAME    create a segment, write to it through its descriptor, keep it open
 *   map NAME     the same, and map it
 *   use NAME     open a segment that is there
 *   shut         close all descriptors, the standard ones too
 *   sysv         create a private System V segment and print its number
 *   take N       the System V segment with this number is meant from now on
 *   attach       attach it
 *   drop         remove it; it is freed when it is detached
 *   poll         attach and detach it every 20 ms, in processes of their own, until it fails
 *   daemon       go on in a process that nobody waits for, in a session of its own
 *   session      start a session
 *   pid          print the process id
 *   wait         until a signal ends the process
 *   stay         until SIGTERM, then end with status 7
 *   count        count SIGUSR1, print the number at SIGUSR2, end with it at SIGTERM
 *   refuse       no kernel records and no open events from now on, then `exec`
 *   exec WORDS…  become another program
 *   exit N | abort                                                                            */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int table_id = -1;

static void fail(const char* what) {
    perror(what);
    exit(1);
}

static int make(const char* name) {
    const int file = shm_open(name, O_CREAT | O_RDWR, 0600);
    if (file < 0 || ftruncate(file, 8192) != 0 || write(file, "left", 4) != 4) fail(name);
    return file;
}

static void map(const char* name) {
    char* const data = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, make(name), 0);
    if (data == MAP_FAILED) fail("mmap");
    data[0] = 'x';
}

static void attach(void) {
    char* const data = shmat(table_id, NULL, 0);
    if (data == (char*)-1) fail("shmat");
    data[0] = 'x';
}

static void poll_table(void) {
    for (;; usleep(20000)) {
        if (fork() == 0) {
            attach();
            _exit(0);
        }
        int status = 0;
        if (wait(&status) > 0 && status != 0) exit(1);
    }
}

static void become_daemon(void) {
    if (fork() != 0) _exit(0);
    setsid();
}

static void refuse(void) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_perf_event_open, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fanotify_init, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {sizeof program / sizeof program[0], program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
        fail("seccomp");
}

static void end(int signal) {
    (void)signal;
    _exit(7);
}

static volatile sig_atomic_t counted;

static void count(int signal) {
    (void)signal;
    ++counted;
}

static void tell(int signal) {
    const char text[] = {(char)('0' + counted), '\n'};
    (void)signal;
    if (write(1, text, sizeof text) != sizeof text) _exit(1);
}

static void end_counting(int signal) {
    (void)signal;
    _exit(counted);
}

static int is(const char* word, const char* what) {
    return strcmp(word, what) == 0;
}

/* How many of the words it took. */
static int do_one(char** words) {
    const char* const word = words[0];
    if (is(word, "open")) return make(words[1]), 2;
    if (is(word, "map")) return map(words[1]), 2;
    if (is(word, "use")) {
        if (shm_open(words[1], O_RDWR, 0) < 0) fail(words[1]);
        return 2;
    }
    if (is(word, "take")) return table_id = atoi(words[1]), 2;
    if (is(word, "exit")) _exit(atoi(words[1]));
    if (is(word, "exec")) {
        execvp(words[1], words + 1);
        fail(words[1]);
    }
    if (is(word, "shut")) close_range(0, ~0U, 0);
    if (is(word, "sysv")) {
        table_id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
        printf("%d\n", table_id);
    }
    if (is(word, "attach")) attach();
    if (is(word, "drop") && shmctl(table_id, IPC_RMID, NULL) != 0) fail("shmctl");
    if (is(word, "poll")) poll_table();
    if (is(word, "daemon")) become_daemon();
    if (is(word, "session")) setsid();
    if (is(word, "pid")) printf("%d\n", (int)getpid());
    if (is(word, "wait")) pause();
    if (is(word, "stay")) {
        signal(SIGTERM, end);
        printf("stays\n");
        fflush(stdout);
        for (;;) pause();
    }
    if (is(word, "count")) {
        signal(SIGUSR1, count);
        signal(SIGUSR2, tell);
        signal(SIGTERM, end_counting);
        printf("counts\n");
        fflush(stdout);
        for (;;) pause();
    }
    if (is(word, "refuse")) refuse();
    if (is(word, "abort")) raise(SIGKILL);
    fflush(stdout);
    return 1;
}

int main(int count, char** words) {
    for (int at = 1; at < count;) at += do_one(words + at);
    _exit(0);
}
