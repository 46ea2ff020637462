/* watch: what has to go on and does not any more ends in a restart. */
#ifndef WATCH_H
#define WATCH_H

enum watched {
    WATCH_METER,  /* its task's rounds */
    WATCH_BROKER, /* its task's rounds; an update is one of minutes */
    WATCH_MQTT,   /* the client's events: without a network it tries to connect, with one it has the
                     status to send, every minute at the latest */
    WATCHED
};

/** Look every minute from now on whether each has moved. */
void watch_begin(void);

/** It has moved; any task. */
void watch_step(enum watched which);

#endif
