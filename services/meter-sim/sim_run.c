#include "sim_run.h"

#include <errno.h>
#include <math.h>
#include <time.h>

#include "clock.h"
#include "sim_out.h"

enum {
    NAP_MS = 100,           /* longest sleep: signals and the connection want a look */
    BUSY_MS = 2,            /* while the broker takes no more */
    CONFIRM_MS = 60000,     /* for the last telegrams, while there is a connection */
    CONFIRM_STOP_MS = 5000, /* the same after a signal, with or without one */
};

struct run {
    struct sim *sim;
    const struct sim_args *args;
    struct gcm *gcm;
    struct sim_out *out;
    int64_t position, end; /* end: of time without --count */
    int64_t begun_ms;      /* by the monotonic clock */
};

static void nap(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

/* How long to wait for a moment of simulated time, in real milliseconds. */
static int64_t until(const struct run *r, int64_t due_ms)
{
    double elapsed;

    if (r->args->real_time)
        return due_ms - clock_utc_ms();
    if (r->args->speed == 0)
        return 0;
    elapsed = (double)(clock_monotonic_ms() - r->begun_ms);
    return (int64_t)ceil((double)(due_ms - r->args->start * 1000) / r->args->speed - elapsed);
}

static int send_next(struct run *r)
{
    struct sim_meter meter;
    struct sim_reading reading;
    struct frame_telegram telegram;
    int rc = sim_read(r->sim, r->position, &reading);

    if (rc != 0)
        return rc;
    sim_meter(r->sim, (uint32_t)(r->position % r->args->fleet.meters), &meter);
    rc = frame_encode(r->gcm, &meter, &reading, &telegram);
    return rc == 0 ? sim_out_send(r->out, &meter, &telegram) : rc;
}

/* Send what is due, or sleep; one step of the way to r->end. */
static int step(struct run *r)
{
    int64_t wait_ms = until(r, sim_due_ms(r->sim, r->position));
    int rc;

    if (wait_ms > 0) {
        rc = sim_out_flush(r->out);
        nap(wait_ms < NAP_MS ? wait_ms : NAP_MS);
        return rc;
    }
    rc = send_next(r);
    if (rc == 0)
        r->position++;
    if (rc != -EAGAIN)
        return rc;
    nap(BUSY_MS);
    return 0;
}

static int send_all(struct run *r, const volatile sig_atomic_t *stop)
{
    int rc = 0;

    while (rc == 0 && !*stop && r->position < r->end) {
        sim_out_step(r->out, clock_monotonic_ms(), false, &r->position);
        rc = step(r);
    }
    return rc;
}

/* Wait until all before `end` has arrived, sending again what a fallen connection took along. */
static int confirm(struct run *r, const volatile sig_atomic_t *stop)
{
    int64_t begun_ms = clock_monotonic_ms(), end = r->position;
    int rc = 0;

    while (rc == 0) {
        int64_t now_ms = clock_monotonic_ms();

        sim_out_step(r->out, now_ms, true, &r->position);
        rc = sim_out_flush(r->out);
        if (rc != 0 || sim_out_arrived(r->out) >= end)
            break;
        if (!*stop && !sim_out_ready(r->out))
            begun_ms = now_ms;
        if (now_ms - begun_ms > (*stop ? CONFIRM_STOP_MS : CONFIRM_MS))
            rc = -ETIMEDOUT;
        else if (r->position < end)
            rc = step(r);
        else
            nap(BUSY_MS);
    }
    return rc;
}

int sim_run(struct sim *s,
            const struct sim_args *args,
            const volatile sig_atomic_t *stop,
            int64_t *telegrams)
{
    int64_t first = sim_position(s, args->real_time ? clock_utc_ms() : args->start * 1000);
    struct run r = {
        .sim = s,
        .args = args,
        .gcm = gcm_new(),
        .out = sim_out_new(args, first),
        .position = first,
        .end = args->rounds == 0 ? sim_position(s, SIM_ARGS_TIME_END * 1000)
                                 : first + args->rounds * args->fleet.meters,
        .begun_ms = clock_monotonic_ms(),
    };
    int rc = r.gcm == NULL || r.out == NULL ? -ENOMEM : send_all(&r, stop);

    if (rc == 0)
        rc = confirm(&r, stop);
    *telegrams = r.out == NULL ? 0 : sim_out_arrived(r.out) - first;
    sim_out_free(r.out);
    gcm_free(r.gcm);
    return rc;
}
