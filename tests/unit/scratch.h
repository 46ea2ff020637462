/* scratch: a folder for one test, removed after it. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include "tools.h"

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

static char scratch[64];

/** setup: makes the folder `scratch`. */
static inline int scratch_open(void **state)
{
    (void)state;
    snprintf(scratch, sizeof scratch, "/tmp/zaehlwerk-test-XXXXXX");
    return mkdtemp(scratch) == NULL;
}

static inline int
scratch_remove(const char *path, const struct stat *st, int flag, struct FTW *where)
{
    (void)st;
    (void)flag;
    (void)where;
    return remove(path);
}

/** teardown: removes it and all that is in it. */
static inline int scratch_close(void **state)
{
    (void)state;
    return nftw(scratch, scratch_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/** The path of a file in it; one of four buffers in turn. */
static inline const char *scratch_path(const char *name)
{
    static char paths[4][128];
    static unsigned turn;
    char *path = paths[turn++ % COUNT(paths)];

    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}

/** Write a file; returns its path. */
static inline const char *scratch_write(const char *name, const char *text)
{
    const char *path = scratch_path(name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
    return path;
}

#endif
