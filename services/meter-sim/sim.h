/* sim: a fleet of meters that exists only as a function of seed, meter index and time. */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "apdu.h"
#include "key.h"
#include "reading.h"

enum sim_model {
    SIM_T210D_A, /* Sagemcom T210-D, firmware A: 263+19 octets, power factor i16 */
    SIM_T210D_B, /* firmware B: 256+26 octets, power factor u16, the clock always doubtful */
    SIM_S210,    /* Sagemcom S210, single-phase */
    SIM_MA309M,  /* Kaifa MA309M as Netz NÖ has it */
    SIM_MA110M,  /* Kaifa MA110M as TINETZ has it, single-phase */
    SIM_MODELS,
};

/** What --model asks for; the last one deals all of them out. */
enum sim_mix { SIM_MIX_T210D, SIM_MIX_S210, SIM_MIX_MA309M, SIM_MIX_MA110M, SIM_MIX_ALL };

#define SIM_NUMBER_CHARS 16

/** One meter: what stands on it and in it. */
struct sim_meter {
    enum sim_model model;
    uint8_t title[SYSTEM_TITLE_OCTETS];
    uint8_t security_control;
    uint8_t key[KEY_OCTETS];
    uint8_t authentication_key[KEY_OCTETS]; /* used when security_control asks for a tag */
    char number[SIM_NUMBER_CHARS + 1];      /* as printed on the meter */
    char device[SIM_NUMBER_CHARS + 1];      /* logical device name; only the MA110M sends one */
    char name[NAME_CHARS + 1];              /* "sim-0001" */
};

/** What a meter sends at one moment. */
struct sim_reading {
    int64_t time;                 /* its clock, Unix seconds */
    int deviation;                /* minutes from local time to UTC: -120 in Vienna's summer */
    uint8_t clock_status;         /* 80 summer, 02 doubtful */
    uint32_t counter;             /* frame counter */
    uint32_t invoke_id;           /* long-invoke-id-and-priority */
    uint32_t values[FIELD_COUNT]; /* Wh, W, 0.1 V, 0.01 A, 0.001, varh; 0 where there is none */
};

struct sim_conf {
    uint64_t seed;
    uint32_t meters;
    uint32_t interval_s; /* between two telegrams of a meter */
    enum sim_mix mix;
    bool tag; /* security control 30 */
};

/** No memory per meter: only some household scripts (sim_home.h) that meters share. */
struct sim;

/** NULL out of memory. */
struct sim *sim_new(const struct sim_conf *conf);
void sim_free(struct sim *s);

/** The identity of meter `index`; the same for the same seed, index and conf. */
void sim_meter(const struct sim *s, uint32_t index, struct sim_meter *out);

/**
 * All telegrams there ever were and will be stand in one row: position p is the telegram of meter
 * p % meters in interval p / meters since 1970. So the meters are spread evenly over the interval,
 * and a restart goes on where time is.
 */
int64_t sim_position(const struct sim *s, int64_t unix_ms); /* the first one not before */
int64_t sim_due_ms(const struct sim *s, int64_t position);  /* Unix milliseconds */

/**
 * What the meter of a position sends. Power is the mean since its telegram before, so the energy
 * counters integrate it exactly: the sum of power * interval differs from the counter by less than
 * 1 Wh over any time. The frame counter is the number of the interval since 1970. Per meter:
 * household script, scale, starting values, voltages and phases from hashes of the seed.
 *
 * Returns 0, or -ENOMEM when a household's script finds no room.
 */
int sim_read(struct sim *s, int64_t position, struct sim_reading *out)
    __attribute__((warn_unused_result));

/** True for models that measure three phases. */
bool sim_three_phase(enum sim_model model);

#endif
