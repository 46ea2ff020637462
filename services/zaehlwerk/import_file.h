/* import_file: a file or standard input, octet by octet, with its line numbers. */
#ifndef IMPORT_FILE_H
#define IMPORT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IMPORT_BLOCK = 65536 };

struct import_file {
    int fd;
    bool owned;          /* fd is to be closed */
    int err;             /* negative errno of a read that failed; -EINTR: a signal */
    uint64_t line;       /* of the next octet, from 1 */
    uint64_t done, size; /* octets; size 0: not known */
    size_t at, len;
    uint8_t block[IMPORT_BLOCK];
};

/** "-" is standard input. NULL, and errno, when it cannot be opened. */
struct import_file *import_file_open(const char *path);

/** NULL, or what speaks against reading it: it is compressed, empty, XML ... */
const char *import_file_complaint(struct import_file *f);

/** True when the file begins like SQL. */
bool import_file_is_sql(struct import_file *f);

/** Read the next block; false at the end or when it cannot be read (err). */
bool import_file_fill(struct import_file *f);

/** The next octet, without taking it; -1 at the end. */
static inline int import_file_peek(struct import_file *f)
{
    return f->at < f->len || import_file_fill(f) ? f->block[f->at] : -1;
}

/** Take the next octet; -1 at the end. */
static inline int import_file_get(struct import_file *f)
{
    int c = import_file_peek(f);

    if (c < 0)
        return c;
    f->at++;
    f->line += c == '\n';
    return c;
}

/** What of the file has been taken, 0 to 1; -1 when its size is not known. */
double import_file_share(const struct import_file *f);

void import_file_close(struct import_file *f);

#endif
