/* check_mqtt: what a broker can, tried with throw-away clients and topics. */
#ifndef CHECK_MQTT_H
#define CHECK_MQTT_H

#include <stdbool.h>

#include "mqtt.h"

enum broker_answer { BROKER_NOT_TESTED, BROKER_YES, BROKER_NO };

/** What was found out; why: a phrase for people. */
struct broker_report {
    bool connected;
    char reason[128]; /* when it is not */
    enum broker_answer sessions;
    char sessions_why[260];
    enum broker_answer shared;
    char shared_why[300];
};

/**
 * Connect, and try on topics below zaehlwerk/check/ whether a message of QoS 1 waits for a client
 * that is away, and whether members of a shared subscription get each message once and find what
 * came while they were away. Its sessions are gone afterwards. Takes some seconds.
 */
void broker_probe(const struct mqtt_conf *conf, struct broker_report *out);

#endif
