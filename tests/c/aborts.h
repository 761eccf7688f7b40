/* Whether a call aborts the program, tried in a child of this process. */
#ifndef ABORTS_H
#define ABORTS_H

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static inline int aborts(void (*call)(void *), void *arg) {
    fflush(NULL);
    pid_t child = fork();
    assert(child >= 0);
    if (child == 0) {
        (void)freopen("/dev/null", "w", stderr); /* the message is expected */
        signal(SIGABRT, SIG_DFL);
        call(arg);
        _exit(0);
    }
    int status;
    assert(waitpid(child, &status, 0) == child);
    assert(WIFSIGNALED(status) ? WTERMSIG(status) == SIGABRT : WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

#endif
