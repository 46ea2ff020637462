/* slots: which folder, session and topic filters an ingest has for its own among its replicas. */
#ifndef SLOTS_H
#define SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOTS_MAX         256
#define SLOT_SHARE        "$share/zaehlwerk/" /* before each filter with INGEST_SHARED=1 */
#define SLOT_FOLDER_CHARS 512
#define SLOT_WHY_CHARS    160

/** The settings of slots, a part of an ingest's configuration. */
struct slots_conf {
    char *folder;  /* JOURNAL_PATH: holds slot-0, slot-1 ... */
    int64_t count; /* INGEST_SLOTS */
    char *fixed;   /* INGEST_SLOT: "", a number, or a host name that ends in -NUMBER */
    bool shared;   /* INGEST_SHARED */
};

/** A slot of this process's own. Zero it first. */
struct slot {
    bool held;
    int number;
    int lock; /* descriptor: the lock lasts as long as it is open */
    char folder[SLOT_FOLDER_CHARS];
};

/** Refuse settings that leave a slot without a filter, or give a topic to two. 0 or -EINVAL. */
int slots_check(const struct slots_conf *c, char *const *filters);

/** The slot that INGEST_SLOT asks for; -1 when it asks for none in particular; -EINVAL. */
int slots_fixed(const struct slots_conf *c);

/**
 * Lock slot `number`, or the lowest free one below c->count when it is -1; the folders are made.
 * Tries once. Returns 0; -EBUSY when it is, or all are, taken; another negative errno, and *why.
 */
int slot_take(struct slot *s, const struct slots_conf *c, int number, char why[SLOT_WHY_CHARS])
    __attribute__((warn_unused_result));

/** Let go; the folder stays. */
void slot_release(struct slot *s);

/** Remove the folder of a slot whose journal is closed and empty, then let go. 0 or -errno. */
int slot_remove(struct slot *s);

/** FOLDER/slot-N/name on the heap, or NULL out of memory. */
char *slot_path(const struct slot *s, const char *name);

/** The client id of a slot, on the heap: slot 0 has `base` itself. NULL out of memory. */
char *slot_client_id(const char *base, int number);

/**
 * The filters that a slot subscribes, NULL-terminated; one free() releases it all. With
 * INGEST_SHARED each filter as a shared one, else every c->count-th from its own on. NULL out of
 * memory.
 */
char **slot_filters(const struct slots_conf *c, int number, char *const *filters);

/** Two notes in a slot's folder: what its session may be, and what it surely is subscribed to. */
#define SLOT_MAYBE  "filters"
#define SLOT_SURELY "subscribed"

/** Read a note: a list as slot_filters gives, empty when there is none. NULL out of memory. */
char **slot_read_note(const struct slots_conf *c, int number, const char *note);

/** Write a note, on disk: two lists together. Returns 0 or -errno. */
int slot_write_note(const struct slot *s, const char *note, char *const *a, char *const *b);

/** What a neighbour's slot looks like from outside. */
enum slot_view {
    SLOT_SERVED,
    SLOT_EMPTY,  /* served by nobody, and nothing is in it */
    SLOT_ORPHAN, /* served by nobody, and its journal holds something, or cannot be read */
};

/**
 * Look into a slot without disturbing it: its lock is held for as long as its journal is read.
 * *entries is what its journal holds (at most 100000 are counted), or -1 when it cannot be read.
 */
enum slot_view slot_look(const struct slots_conf *c, int number, int64_t *entries);

/** The numbers of the slots that have a folder: seen[n] = true. */
void slots_list(const struct slots_conf *c, bool seen[SLOTS_MAX]);

#endif
