/* capture: what is written to stderr, through a pipe. */
#ifndef CAPTURE_H
#define CAPTURE_H

#include "tools.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define CAPTURE_MAX 65536

/** Zero it first. Assert nothing between begin and end: cmocka's words go to stderr too. */
struct capture {
    int pipe[2], stderr_was;
    char text[CAPTURE_MAX];
};

static inline void capture_begin(struct capture *c)
{
    assert_int_equal(pipe2(c->pipe, O_NONBLOCK), 0);
    c->stderr_was = dup(STDERR_FILENO);
    assert_true(c->stderr_was >= 0 && dup2(c->pipe[1], STDERR_FILENO) >= 0);
}

/** The text so far, from capture_begin on; a pipe holds 64 KiB. */
static inline const char *capture_end(struct capture *c)
{
    ssize_t n;

    dup2(c->stderr_was, STDERR_FILENO);
    close(c->stderr_was);
    close(c->pipe[1]);
    n = read(c->pipe[0], c->text, sizeof c->text - 1);
    close(c->pipe[0]);
    c->text[n < 0 ? 0 : n] = '\0';
    return c->text;
}

#endif
