/* serial_ingest: an ingest whose payloads come from a serial device. */
#ifndef SERIAL_INGEST_H
#define SERIAL_INGEST_H

#include "ingest.h"
#include "serial.h"

extern const struct svc_info serial_ingest_info;

struct serial_ingest {
    struct ingest ingest;
    struct serial_conf serial_conf;
    char *topic;  /* what the telegrams are said to come from */
    char *folder; /* of the journal */

    struct serial *serial;
};

int serial_ingest_open(struct serial_ingest *i) __attribute__((warn_unused_result));

/** Close all; what is not acknowledged stays in the journal. Takes a zeroed struct. */
void serial_ingest_close(struct serial_ingest *i);

#endif
