/* decryptor: telegram records in, reading and reject records out. */
#ifndef DECRYPTOR_H
#define DECRYPTOR_H

#include "buf.h"
#include "gcm.h"
#include "keys.h"
#include "link.h"
#include "plausible.h"
#include "record.h"
#include "svc.h"

/** Places of decryptor_metrics. */
enum decryptor_metric {
    DECRYPTOR_TELEGRAMS,
    DECRYPTOR_READINGS,
    DECRYPTOR_REJECTS,
    DECRYPTOR_SUSPECT,
    DECRYPTOR_DROPPED,
    DECRYPTOR_UNREADABLE,
    DECRYPTOR_KEYS,
    DECRYPTOR_CLOCK,
};

extern const struct metric_def decryptor_metrics[];

struct decryptor {
    struct svc svc;
    char *key;
    char *authentication_key;
    char *keys_file;
    char *telegrams_connect;
    char *store_bind;
    char *debounce_bind;
    char *readings_bind;

    struct keys *keys;
    struct gcm *gcm;
    struct plausible *plausible;
    struct link *telegrams, *store, *debounce, *readings;
    struct record_memory memory;
    struct record in, out;
    struct buf packed;
};

/** Check the keys without starting. */
int decryptor_check(void *self);

int decryptor_open(struct decryptor *d) __attribute__((warn_unused_result));
void decryptor_close(struct decryptor *d);

/**
 * The work itself: a telegram record to the record it becomes, a reading or a reject. `out`'s views
 * point into `in`.
 */
void decryptor_convert(struct gcm *gcm,
                       struct keys *keys,
                       const struct record *in,
                       struct record *out);

#endif
