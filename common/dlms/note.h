/* note: one annotation at a time, for those who explain octets (annotate). */
#ifndef NOTE_H
#define NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What the offsets of an annotation count from. */
enum note_space {
    NOTE_INPUT, /* the input's first octet */
    NOTE_APDU,  /* the first of the APDU, put together from its frames */
    NOTE_PLAIN, /* the first of what decryption gave */
};

#define NOTE_VALUE_CHARS 240

/** One run of octets and what it means, or a heading over those that follow it, one deeper. */
struct note {
    enum note_space space;
    unsigned depth;
    bool leaf;  /* octets that no other leaf of this space has; else a heading */
    bool wrong; /* the place of an error */
    size_t at, len;
    const uint8_t *octets; /* live until the callback returns, as do the texts */
    const char *name;      /* "STSAP", "invoke id" ... */
    const char *value;     /* what it says, or "" */
};

typedef void note_visit(void *arg, const struct note *note);

/** Where notes go; `base` is the octet that offsets count from. */
struct notes {
    note_visit *visit;
    void *arg;
    enum note_space space;
    const uint8_t *base;
    unsigned depth;
};

/** A leaf; `format` makes its value. */
void note_leaf(const struct notes *n,
               const uint8_t *octets,
               size_t len,
               const char *name,
               const char *format,
               ...) __attribute__((format(printf, 5, 6)));

/** A leaf that is the place of an error. */
void note_wrong(const struct notes *n,
                const uint8_t *octets,
                size_t len,
                const char *name,
                const char *format,
                ...) __attribute__((format(printf, 5, 6)));

/** A heading over these octets. */
void note_heading(const struct notes *n,
                  const uint8_t *octets,
                  size_t len,
                  const char *name,
                  const char *format,
                  ...) __attribute__((format(printf, 5, 6)));

/** A heading that tells an error. */
void note_complaint(const struct notes *n, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
