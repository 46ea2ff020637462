#include "sim_home.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim_hash.h"

enum {
    MINUTES = 1440,
    DAY_MS = 86400 * 1000,
    CYCLE_DAYS = 1461,    /* four years: the season comes back to the day */
    STANDARD_TIME = 60,   /* minutes: days are cut at midnight of UTC+1 ... */
    SUMMER_FROM = 87,     /* ... and habits are an hour earlier from the end of March ... */
    SUMMER_TO = 301,      /* ... to the end of October, by day of the year */
    CLOUD_MINUTES = 6,    /* between two bends of the solar curve */
    SOLAR_NOON = 12 * 60, /* at 15 degrees east, in UTC+1 */
};

/* Something that people switch on; boost first (heating up), then watts. */
struct appliance {
    int owned;                  /* of 100 households */
    int tries, chance;          /* per day, each with so many of 100 */
    int from, span;             /* first minute of the day it may begin; how much later at most */
    int boost_watts, boost_min; /* mean; varied by a quarter per household */
    int watts, minutes, longer; /* minutes + 0..longer */
};

static const struct appliance appliances[] = {
    {100, 1, 95, 350, 80, 0, 0, 140, 50, 40},       /* morning: light, radio, bathroom */
    {100, 1, 100, 1010, 90, 0, 0, 190, 200, 120},   /* evening: light, television */
    {90, 2, 70, 360, 90, 1900, 3, 0, 3, 0},         /* kettle, coffee */
    {90, 2, 45, 660, 480, 1900, 3, 0, 3, 1},        /* kettle in the day */
    {95, 1, 45, 680, 60, 1700, 9, 900, 20, 25},     /* stove at noon */
    {95, 1, 75, 1050, 110, 2100, 12, 1100, 30, 30}, /* stove in the evening */
    {85, 2, 40, 420, 900, 1100, 4, 0, 4, 3},        /* microwave, hair dryer */
    {92, 1, 40, 480, 700, 2000, 18, 180, 85, 30},   /* washing machine */
    {78, 1, 60, 780, 600, 1950, 14, 70, 60, 20},    /* dishwasher */
    {45, 1, 30, 600, 660, 0, 0, 780, 70, 40},       /* tumble dryer */
    {60, 1, 30, 540, 600, 0, 0, 850, 20, 25},       /* vacuum cleaner, tools */
    {55, 1, 50, 540, 360, 0, 0, 130, 180, 200},     /* work at home */
    {22, 1, 97, 1335, 60, 0, 0, 2000, 80, 90},      /* night boiler */
    {9, 1, 35, 1080, 120, 0, 0, 3600, 90, 150},     /* car */
};

enum { APPLIANCES = sizeof appliances / sizeof appliances[0] };

/* Things a household has its own hash for; appliances count on from OF_APPLIANCE. */
enum trait { OF_BASE, OF_FRIDGE, OF_HEAT_PUMP, OF_PANELS, OF_WEATHER, OF_CLOUD, OF_APPLIANCE };

/* One day, accumulated to the end of each minute in J. */
struct day {
    int64_t day; /* since SIM_HOME_EPOCH in UTC+1; -1: none */
    uint32_t in[MINUTES + 1], out[MINUTES + 1];
};

struct sim_home {
    uint64_t seed, number;
    int base_watts;
    int fridge_watts, fridge_period, fridge_on;      /* W, min, min */
    int heat_pump_watts;                             /* 0: none */
    int panels_watts;                                /* peak; 0: none */
    struct day days[2];                              /* by parity of the day */
    int64_t in[CYCLE_DAYS + 1], out[CYCLE_DAYS + 1]; /* to the beginning of each day, J */
};

static uint64_t draw(const struct sim_home *h, uint64_t what, uint64_t when)
{
    return sim_hash(h->seed, h->number << 16 | what, when);
}

static void add(int *load, int from, int minutes, int watts)
{
    for (int m = from; m < from + minutes; m++)
        load[(m + MINUTES) % MINUTES] += watts;
}

static void add_appliances(const struct sim_home *h, int day, int shift, int *load)
{
    for (int a = 0; a < APPLIANCES; a++) {
        const struct appliance *p = &appliances[a];
        uint64_t what = OF_APPLIANCE + (uint64_t)a;
        uint64_t owner = draw(h, what, UINT64_MAX);
        int percent = sim_pick(owner << 16, 75, 50);

        if (sim_pick(owner, 0, 99) >= p->owned)
            continue;
        for (int i = 0; i < p->tries; i++) {
            uint64_t r = draw(h, what, (uint64_t)day * 8 + (uint64_t)i);
            int from = sim_pick(r << 16, p->from, p->span) - shift;
            int minutes = sim_pick(r << 8, p->minutes, p->longer);

            if (sim_pick(r, 0, 99) >= p->chance)
                continue;
            add(load, from, p->boost_min, p->boost_watts * percent / 100);
            if (minutes > p->boost_min)
                add(load, from + p->boost_min, minutes - p->boost_min, p->watts * percent / 100);
        }
    }
}

/* What switches itself on for some minutes of every period, day and night. */
static void add_cycle(int day, int period, int on, int watts, int *load)
{
    int phase = (int)((int64_t)day * MINUTES % period);

    for (int begin = -phase; begin < MINUTES; begin += period)
        for (int m = begin < 0 ? 0 : begin; m < begin + on && m < MINUTES; m++)
            load[m] += watts;
}

/* Watts of the panels at a minute of the day under that moment's clouds. The day's weather is the
 * same for all households; the single cloud is not. */
static int solar_watts(const struct sim_home *h, int day, double declination, int minute)
{
    static const double latitude = 48.2 * M_PI / 180;
    double hour_angle = (minute - SOLAR_NOON) * (2 * M_PI / MINUTES);
    double height =
        sin(latitude) * sin(declination) + cos(latitude) * cos(declination) * cos(hour_angle);
    double cover = sim_unit(sim_hash(h->seed, OF_WEATHER, (uint64_t)day));
    double x = sim_unit(draw(h, OF_CLOUD, (uint64_t)day * MINUTES + (uint64_t)minute));
    double cloud = fmin(fmax(0.7 * x + 1.3 * cover - 0.7, 0), 1);

    if (height <= 0)
        return 0;
    return (int)(0.9 * h->panels_watts * height * sqrt(sqrt(height)) * (1 - 0.82 * cloud));
}

/* Straight lines between moments CLOUD_MINUTES apart. */
static void subtract_solar(const struct sim_home *h, int day, double declination, int *load)
{
    int here, next = solar_watts(h, day, declination, 0);

    for (int m = 0; m < MINUTES; m += CLOUD_MINUTES) {
        here = next;
        next = solar_watts(h, day, declination, m + CLOUD_MINUTES);
        for (int i = 0; i < CLOUD_MINUTES && here + next > 0; i++)
            load[m + i] -= here + (next - here) * i / CLOUD_MINUTES;
    }
}

/* `day` counts within the cycle. */
static void make_day(const struct sim_home *h, int day, struct day *out)
{
    double year_day = fmod(day, 365.25);
    double season = cos((year_day + 10) * (2 * M_PI / 365.25)); /* 1 at the winter solstice */
    int shift = year_day >= SUMMER_FROM && year_day < SUMMER_TO ? 60 : 0;
    int net[MINUTES];

    for (int m = 0; m < MINUTES; m++)
        net[m] = h->base_watts;
    add_cycle(day, h->fridge_period, h->fridge_on, h->fridge_watts, net);
    if (h->heat_pump_watts > 0)
        add_cycle(day, 50, (int)fmax(20 * season + 14, 0), h->heat_pump_watts, net);
    add_appliances(h, day, shift, net);
    if (h->panels_watts > 0)
        subtract_solar(h, day, -23.44 * M_PI / 180 * season, net);
    for (int m = 0; m < MINUTES; m++) {
        out->in[m + 1] = out->in[m] + (net[m] > 0 ? (uint32_t)net[m] * 60 : 0);
        out->out[m + 1] = out->out[m] + (net[m] < 0 ? (uint32_t)-net[m] * 60 : 0);
    }
}

struct sim_home *sim_home_new(uint64_t seed, uint64_t number, bool solar)
{
    struct sim_home *h = calloc(1, sizeof *h);
    uint64_t r;

    if (h == NULL)
        return NULL;
    h->seed = seed;
    h->number = number;
    h->base_watts = sim_pick(draw(h, OF_BASE, 0), 45, 130);
    r = draw(h, OF_FRIDGE, 0);
    h->fridge_watts = sim_pick(r, 65, 60);
    h->fridge_period = sim_pick(r << 8, 40, 35);
    h->fridge_on = h->fridge_period * sim_pick(r << 16, 28, 20) / 100;
    r = draw(h, OF_HEAT_PUMP, 0);
    h->heat_pump_watts = sim_pick(r, 0, 99) < 14 ? sim_pick(r << 16, 1300, 1100) : 0;
    h->panels_watts = solar ? sim_pick(draw(h, OF_PANELS, 0), 3000, 7000) : 0;

    for (int day = 0; day < CYCLE_DAYS; day++) {
        make_day(h, day, &h->days[0]);
        h->in[day + 1] = h->in[day] + h->days[0].in[MINUTES];
        h->out[day + 1] = h->out[day] + h->days[0].out[MINUTES];
    }
    h->days[0].day = h->days[1].day = -1;
    return h;
}

void sim_home_free(struct sim_home *h)
{
    free(h);
}

static int64_t at_minute(const uint32_t *sums, int minute, int ms)
{
    int64_t watts = (sums[minute + 1] - sums[minute]) / 60;

    return sums[minute] * INT64_C(1000) + watts * ms;
}

struct sim_energy sim_home_energy(struct sim_home *h, int64_t unix_ms)
{
    int64_t ms = unix_ms - SIM_HOME_EPOCH * INT64_C(1000) + STANDARD_TIME * 60000;
    int64_t day = ms / DAY_MS;
    int64_t cycles = day / CYCLE_DAYS;
    int cycle_day = (int)(day % CYCLE_DAYS);
    int minute = (int)(ms % DAY_MS / 60000);
    struct day *cached = &h->days[day & 1];

    if (cached->day != day) {
        make_day(h, cycle_day, cached);
        cached->day = day;
    }
    return (struct sim_energy){
        .in = (cycles * h->in[CYCLE_DAYS] + h->in[cycle_day]) * 1000 +
              at_minute(cached->in, minute, (int)(ms % 60000)),
        .out = (cycles * h->out[CYCLE_DAYS] + h->out[cycle_day]) * 1000 +
               at_minute(cached->out, minute, (int)(ms % 60000)),
    };
}
