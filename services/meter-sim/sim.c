#include "sim.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_hash.h"
#include "sim_home.h"
#include "sim_time.h"

enum {
    HOMES = 128,           /* scripts; meters beyond that share them, at another scale and time */
    SHIFT_MS = 25 * 60000, /* at most; how much later a meter lives its script */
    JITTER_DIVISOR = 25,   /* of the interval: what makes power twitch within a minute */
    INVOKE_MASK = 0xFFFFFF,
    VOLTS_MIN = 2250, /* in 0.1 V, as all voltages here */
    VOLTS_MAX = 2420,
};

/* What a meter has its own hash for. */
enum trait {
    OF_TITLE = 1,
    OF_NUMBER,
    OF_DEVICE,
    OF_KEY,
    OF_AUTHENTICATION_KEY,
    OF_INVOKE_ID,
    OF_SCALE,
    OF_SHIFT,
    OF_JITTER,
    OF_WIN,
    OF_WOUT,
    OF_REACTIVE,
    OF_FACTOR,
    OF_VOLTS,
    OF_NOISE,
    OF_SHARE,
    OF_SWAY,
};

struct sim {
    struct sim_conf conf;
    struct sim_home *homes[HOMES]; /* made when first wanted */
};

/* A meter's household: its script, and how this meter lives it. */
struct household {
    struct sim_home *home;
    int64_t scale; /* in thousandths */
    int64_t shift_ms;
    int64_t start_in, start_out; /* mW s */
};

static uint64_t draw(const struct sim *s, uint32_t index, enum trait what, uint64_t when)
{
    return sim_hash(s->conf.seed, (uint64_t)index << 8 | (uint64_t)what, when);
}

struct sim *sim_new(const struct sim_conf *conf)
{
    struct sim *s = calloc(1, sizeof *s);

    if (s != NULL)
        s->conf = *conf;
    return s;
}

void sim_free(struct sim *s)
{
    if (s == NULL)
        return;
    for (int i = 0; i < HOMES; i++)
        sim_home_free(s->homes[i]);
    free(s);
}

bool sim_three_phase(enum sim_model model)
{
    return model != SIM_S210 && model != SIM_MA110M;
}

static bool is_kaifa(enum sim_model model)
{
    return model == SIM_MA309M || model == SIM_MA110M;
}

static enum sim_model model_of(const struct sim *s, uint32_t index)
{
    static const enum sim_model all[] = {SIM_T210D_A, SIM_MA309M, SIM_T210D_B, SIM_MA110M,
                                         SIM_S210};

    switch (s->conf.mix) {
    case SIM_MIX_T210D:
        return index % 2 == 0 ? SIM_T210D_A : SIM_T210D_B;
    case SIM_MIX_S210:
        return SIM_S210;
    case SIM_MIX_MA309M:
        return SIM_MA309M;
    case SIM_MIX_MA110M:
        return SIM_MA110M;
    default:
        return all[index % (sizeof all / sizeof all[0])];
    }
}

/* Three letters and five octets: index, shuffled one to one so that no two meters are alike. */
static void make_title(const struct sim *s, uint32_t index, bool kaifa, uint8_t *title)
{
    const char *maker = kaifa ? "KFM" : "SAG";
    const uint64_t mask = (UINT64_C(1) << 40) - 1;
    uint64_t x = index;

    for (uint64_t round = 0; round < 3; round++) {
        x = (x * UINT64_C(0x9E3779B97F4A7C15) + sim_hash(s->conf.seed, OF_TITLE, round)) & mask;
        x ^= x >> 19;
    }
    for (int i = 0; i < 3; i++)
        title[i] = (uint8_t)maker[i];
    for (int i = 0; i < 5; i++)
        title[3 + i] = (uint8_t)(x >> (32 - 8 * i));
}

/* A prefix and as many digits as make up len: one to one as long as the digits suffice. */
static void make_number(
    const struct sim *s, uint32_t index, enum trait what, const char *prefix, int len, char *out)
{
    uint64_t n = index * UINT64_C(7368787) + (sim_hash(s->conf.seed, (uint64_t)what, 0) >> 16);
    int head = (int)strlen(prefix);

    memcpy(out, prefix, (size_t)head);
    out[len] = '\0';
    for (int i = len - 1; i >= head; i--, n /= 10)
        out[i] = (char)('0' + n % 10);
}

static void make_key(const struct sim *s, uint32_t index, enum trait what, uint8_t *key)
{
    for (int half = 0; half < 2; half++) {
        uint64_t h = draw(s, index, what, (uint64_t)half);

        for (int i = 0; i < 8; i++)
            key[half * 8 + i] = (uint8_t)(h >> (8 * i));
    }
}

void sim_meter(const struct sim *s, uint32_t index, struct sim_meter *out)
{
    static const char *const prefixes[SIM_MODELS] = {[SIM_T210D_A] = "178",
                                                     [SIM_T210D_B] = "178",
                                                     [SIM_S210] = "178",
                                                     [SIM_MA309M] = "1812",
                                                     [SIM_MA110M] = "1KFM"};
    enum sim_model model = model_of(s, index);
    bool tirol = model == SIM_MA110M;

    *out = (struct sim_meter){
        .model = model,
        .security_control = s->conf.tag ? SC_ENCRYPTED | SC_AUTHENTICATED
                            : tirol     ? SC_ENCRYPTED | 1
                                        : SC_ENCRYPTED,
    };
    make_title(s, index, is_kaifa(model), out->title);
    make_number(s, index, OF_NUMBER, prefixes[model], tirol ? 14 : 12, out->number);
    if (tirol)
        make_number(s, index, OF_DEVICE, "KFM1", 16, out->device);
    make_key(s, index, OF_KEY, out->key);
    if (s->conf.tag)
        make_key(s, index, OF_AUTHENTICATION_KEY, out->authentication_key);
    snprintf(out->name, sizeof out->name, "sim-%04u", (unsigned)index + 1);
}

int64_t sim_position(const struct sim *s, int64_t unix_ms)
{
    int64_t interval_ms = s->conf.interval_s * INT64_C(1000);
    int64_t rest = unix_ms % interval_ms * s->conf.meters;

    return unix_ms / interval_ms * s->conf.meters + (rest + interval_ms - 1) / interval_ms;
}

int64_t sim_due_ms(const struct sim *s, int64_t position)
{
    int64_t interval_ms = s->conf.interval_s * INT64_C(1000);
    int64_t index = position % s->conf.meters;

    return position / s->conf.meters * interval_ms + index * interval_ms / s->conf.meters;
}

static int find_household(struct sim *s, uint32_t index, struct household *out)
{
    uint32_t number = index % HOMES;

    if (s->homes[number] == NULL)
        s->homes[number] = sim_home_new(s->conf.seed, number, number % 3 == 1);
    *out = (struct household){
        .home = s->homes[number],
        .scale = sim_pick(draw(s, index, OF_SCALE, 0), 750, 500),
        .shift_ms = sim_pick(draw(s, index, OF_SHIFT, 0), 0, SHIFT_MS),
        .start_in = sim_pick(draw(s, index, OF_WIN, 0), 0, 8000000) * INT64_C(3600000),
        .start_out = number % 3 == 1
                         ? sim_pick(draw(s, index, OF_WOUT, 0), 0, 4000000) * INT64_C(3600000)
                         : 0,
    };
    return out->home == NULL ? -ENOMEM : 0;
}

/* What the counters have summed up by the telegram of interval n, in W * interval. */
static struct sim_energy
sum(const struct sim *s, uint32_t index, const struct household *h, int64_t n)
{
    int64_t interval_ms = s->conf.interval_s * INT64_C(1000);
    int64_t at_ms = n * interval_ms + sim_due_ms(s, index) / 1000 * 1000;
    uint64_t jitter = draw(s, index, OF_JITTER, (uint64_t)n) >> 40;
    struct sim_energy e = sim_home_energy(
        h->home, at_ms + h->shift_ms + (int64_t)jitter % (interval_ms / JITTER_DIVISOR));

    return (struct sim_energy){
        .in = (e.in / 1000 * h->scale + h->start_in) / interval_ms,
        .out = (e.out / 1000 * h->scale + h->start_out) / interval_ms,
    };
}

static uint32_t watt_hours(const struct sim *s, int64_t watt_intervals)
{
    return (uint32_t)(watt_intervals * s->conf.interval_s / 3600);
}

static void read_energy(const struct sim *s,
                        uint32_t index,
                        const struct household *h,
                        int64_t interval,
                        uint32_t *values)
{
    struct sim_energy then = sum(s, index, h, interval - 1);
    struct sim_energy now = sum(s, index, h, interval);
    int inductive = sim_pick(draw(s, index, OF_REACTIVE, 0), 20, 130); /* of 1000 */

    values[FIELD_WIN] = watt_hours(s, now.in);
    values[FIELD_WOUT] = watt_hours(s, now.out);
    values[FIELD_PIN] = (uint32_t)(now.in - then.in);
    values[FIELD_POUT] = (uint32_t)(now.out - then.out);
    values[FIELD_RIN] = watt_hours(s, now.in * inductive / 1000);
    values[FIELD_ROUT] = watt_hours(s, now.in * (150 - inductive) / 2000 + now.out / 20);
}

/* 0.1 V: drifts over a quarter of an hour, trembles, falls under load and rises under the sun. */
static uint32_t volts(const struct sim *s, uint32_t index, int phase, int64_t time, int net_watts)
{
    double drift = sim_noise(s->conf.seed, (uint64_t)index << 8 | OF_VOLTS,
                             (double)phase * 1e7 + (double)time / 900);
    uint64_t noise = draw(s, index, OF_NOISE, (uint64_t)time * 3 + (uint64_t)phase);
    int v = 2295 + (int)(90 * drift) + sim_pick(noise, -5, 10) - net_watts / 150;

    return (uint32_t)(v < VOLTS_MIN ? VOLTS_MIN : v > VOLTS_MAX ? VOLTS_MAX : v);
}

/* How the power divides among three phases: a habit of the house that sways. */
static void divide(const struct sim *s, uint32_t index, int64_t time, double share[3])
{
    double all = 0;

    for (int p = 0; p < 3; p++) {
        double habit = 0.2 + sim_unit(draw(s, index, OF_SHARE, (uint64_t)p));
        double sway = sim_noise(s->conf.seed, (uint64_t)index << 8 | OF_SWAY,
                                (double)p * 1e7 + (double)time / 420);

        share[p] = habit * (0.1 + sway);
        all += share[p];
    }
    for (int p = 0; p < 3; p++)
        share[p] /= all;
}

/* Thousandths: motors and power supplies weigh more when little else is on. */
static uint32_t power_factor(const struct sim *s, uint32_t index, int64_t time, int net_watts)
{
    double n = sim_noise(s->conf.seed, (uint64_t)index << 8 | OF_FACTOR, (double)time / 120);

    if (net_watts == 0)
        return 1000;
    return (uint32_t)(1000 - (20 + 160 * n) * 500 / (500 + abs(net_watts)));
}

static void read_phases(
    const struct sim *s, uint32_t index, enum sim_model model, int64_t time, uint32_t *values)
{
    int net = (int)values[FIELD_PIN] - (int)values[FIELD_POUT];
    double share[3] = {1, 0, 0};
    int phases = sim_three_phase(model) ? 3 : 1;

    if (phases == 3)
        divide(s, index, time, share);
    values[FIELD_PF] = power_factor(s, index, time, net);
    for (int p = 0; p < phases; p++) {
        double watts = net * share[p];
        uint32_t u = volts(s, index, p, time, (int)watts);

        values[FIELD_U1 + p] = u;
        values[FIELD_I1 + p] = (uint32_t)lround(fabs(watts) * 1e6 / (u * (double)values[FIELD_PF]));
    }
}

int sim_read(struct sim *s, int64_t position, struct sim_reading *out)
{
    uint32_t index = (uint32_t)(position % s->conf.meters);
    int64_t interval = position / s->conf.meters;
    int64_t time = sim_due_ms(s, position) / 1000;
    enum sim_model model = model_of(s, index);
    bool summer = sim_time_summer(time);
    struct household h;
    uint32_t id;

    if (find_household(s, index, &h) != 0)
        return -ENOMEM;
    id = (uint32_t)(interval + (int64_t)draw(s, index, OF_INVOKE_ID, 0)) & INVOKE_MASK;
    *out = (struct sim_reading){
        .time = time,
        .deviation = summer ? -120 : -60,
        .clock_status = (uint8_t)((summer ? 0x80 : 0) | (model == SIM_T210D_B ? 0x02 : 0)),
        .counter = (uint32_t)interval,
        .invoke_id = model == SIM_MA110M ? id : id | 0x80000000,
    };
    read_energy(s, index, &h, interval, out->values);
    read_phases(s, index, model, time, out->values);
    if (model == SIM_MA110M)
        out->values[FIELD_PF] = 0;
    else
        out->values[FIELD_RIN] = out->values[FIELD_ROUT] = 0;
    return 0;
}
