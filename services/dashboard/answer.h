/* answer: what is asked over HTTP and what is said, apart from the library that carries it. */
#ifndef ANSWER_H
#define ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

struct json_t; /* NOLINT: jansson's name */

/** One request; strings are NULL where it has none, and live until it is answered. */
struct request {
    const char *method, *path; /* the path as it was sent: nothing is unescaped */
    const char *host, *origin, *fetch_site, *content_type, *cookie, *forwarded_proto;
    const char *forwarded_for;                            /* X-Forwarded-For, the last of them */
    const char *user;                                     /* the trusted proxy's header */
    const char *none_match, *encoding;                    /* If-None-Match, Accept-Encoding */
    const char *meter, *range, *from, *to, *step, *table; /* of the query */
    char address[64];                                     /* who asks, for limits: no port */
    const uint8_t *body;
    size_t body_len;
};

#define COOKIE_CHARS 256

/** One answer. All zero is none yet. */
struct answer {
    unsigned status;
    const char *type;     /* content type; NULL: no body */
    struct buf body;      /* or: */
    const uint8_t *fixed; /* octets that live for ever */
    size_t fixed_len;
    bool gzip;              /* they are compressed */
    const char *etag;       /* with it the answer may be kept and asked about; else never kept */
    const char *allow;      /* 405: the methods there are */
    const char *file;       /* to be saved under this name */
    unsigned retry_seconds; /* 429, 503 */
    bool last;              /* the connection ends with it */
    char cookie[COOKIE_CHARS];
};

/** A body of JSON; takes the reference over (NULL: 500). */
void answer_json(struct answer *a, unsigned status, struct json_t *json);

/** A number of a row, or null where it is ROWS_NULL. */
struct json_t *answer_number(int64_t value);

/** {"error": words for a person, "code": word} */
void answer_error(struct answer *a, unsigned status, const char *code, const char *words);

/** Append formatted text to a buffer. Returns 0 or -ENOMEM. */
int answer_print(struct buf *b, const char *format, ...)
    __attribute__((format(printf, 2, 3), warn_unused_result));

/**
 * JSON as text on the heap, in as few digits as a value has: 233.8, not 233.80000000000001. NULL
 * out of memory.
 */
char *answer_dump(const struct json_t *json);

void answer_free(struct answer *a);

#endif
