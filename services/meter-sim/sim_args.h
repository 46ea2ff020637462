/* sim_args: the command line and the environment of meter-sim. */
#ifndef SIM_ARGS_H
#define SIM_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "mqtt.h"
#include "sim.h"

#define SIM_ARGS_TIME_END INT64_C(4102444800) /* 2100-01-01: beyond, nothing is simulated */

/** The form of one message or line. */
enum sim_payload {
    SIM_PAYLOAD_HEX,    /* a telegram's frames joined, upper-case hex */
    SIM_PAYLOAD_RAW,    /* the same as octets; not with --print */
    SIM_PAYLOAD_JSON,   /* {"SSerialReceived":"..."}, as Tasmota's serial bridge sends it */
    SIM_PAYLOAD_FRAMES, /* hex, each link frame for itself */
};

struct sim_args {
    struct sim_conf fleet;
    const char *topic;
    const char *keys; /* file, or NULL */
    enum sim_payload payload;
    int64_t rounds; /* 0: no end */
    bool print;
    bool real_time; /* neither --start nor --speed: follow the system's clock */
    int64_t start;  /* Unix seconds */
    double speed;   /* 0: as fast as possible */
    struct mqtt_conf mqtt;
};

/**
 * Read arguments and, unless --print is among them, the MQTT settings of the environment.
 *
 * Returns -1 when the program shall go on, else its exit status: 0 after --help or --version, 64
 * after one line on stderr that names the option, 78 after one that names the variable.
 * sim_args_free may follow in any case.
 */
int sim_args_read(struct sim_args *a, int argc, char **argv) __attribute__((warn_unused_result));

void sim_args_free(struct sim_args *a);

#endif
