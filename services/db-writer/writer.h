/* writer: readings, debounced readings and rejects in, committed rows and acks out. */
#ifndef WRITER_H
#define WRITER_H

#include "acks.h"
#include "keep.h"
#include "link.h"
#include "record.h"
#include "retention.h"
#include "store.h"
#include "svc.h"
#include "watch.h"

#define WRITER_BATCH 500

/** Places of writer_metrics. */
enum writer_metric {
    WRITER_RECORDS,
    WRITER_ROWS,
    WRITER_DUPLICATES,
    WRITER_BATCHES,
    WRITER_REFUSED,
    WRITER_RETRIES,
    WRITER_UNREADABLE,
    WRITER_RESOLVED,
    WRITER_DROPPED,
    WRITER_REJECTS,
    WRITER_REJECTS_OCTETS,
    WRITER_ROWS_DROPPED,
    WRITER_LATENCY,
    WRITER_COMMIT,
    WRITER_BATCH_SIZE,
    WRITER_WAITING,
    WRITER_JOBS_FAILING,
};

extern const struct metric_def writer_metrics[];

struct writer {
    struct svc svc;
    struct store_conf store_conf;
    char *store_connect;
    char *acks_bind;

    struct retention retention; /* with its settings */
    struct keep keep;           /* with its settings */
    struct watch watch;
    struct store *store;
    struct link *input, *acks_link;
    struct acks acks;
    struct record_memory memory;
    struct record *batch; /* WRITER_BATCH + LINK_BATCH; octets are the batch's own */
    size_t count;
    int64_t retry_ms, backoff_ms;
};

int writer_check(void *self);
int writer_open(struct writer *w) __attribute__((warn_unused_result));
void writer_close(struct writer *w);

#endif
