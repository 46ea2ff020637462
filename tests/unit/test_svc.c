/* Whether a service's loop turns, for /healthz. */
#include "tools.h"

#include <stdlib.h>

#include "clock.h"
#include "svc.h"

struct probe {
    struct svc svc;
    int looked;
};

static const struct conf_option options[] = {
    SVC_OPTIONS(struct probe, svc.conf, "9199"),
    CONF_END,
};

static const struct metric_def metrics[] = {{NULL, METRIC_GAUGE, NULL, NULL}};

static const struct svc_info info = {
    .name = "probe", .purpose = "a test", .options = options, .metrics = metrics, .needs = {NULL}};

static void start(struct probe *p)
{
    char name[] = "probe", *argv[] = {name, NULL};

    setenv("HTTP_LISTEN", "off", 1);
    assert_int_equal(svc_start(&p->svc, &info, p, 1, argv), 0);
}

static void a_loop_that_does_not_run_owes_no_turn(void **state)
{
    struct probe p = {0};

    (void)state;
    start(&p);
    assert_true(svc_turns(&p.svc, clock_monotonic_ms() + 10 * SVC_STUCK_MS));
    svc_close(&p.svc, &p);
}

/* Called by the loop: as seen by others while it hangs in here. */
static void hang(void *arg)
{
    struct probe *p = arg;
    int64_t now = clock_monotonic_ms();

    assert_true(svc_turns(&p->svc, now));
    assert_false(svc_turns(&p->svc, now + SVC_STUCK_MS));
    svc_excuse(&p->svc, true);
    assert_true(svc_turns(&p->svc, now + 10 * SVC_STUCK_MS));
    svc_excuse(&p->svc, false);
    assert_false(svc_turns(&p->svc, now + 2 * SVC_STUCK_MS));
    p->looked++;
    svc_end(&p->svc, 0);
}

static void a_loop_that_hangs_is_seen(void **state)
{
    struct probe p = {0};

    (void)state;
    start(&p);
    assert_int_equal(svc_every(&p.svc, 10, hang, &p), 0);
    assert_int_equal(svc_run(&p.svc), 0);
    assert_true(p.looked > 0);
    assert_true(svc_turns(&p.svc, clock_monotonic_ms() + 10 * SVC_STUCK_MS)); /* it ends */
    svc_close(&p.svc, &p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_that_does_not_run_owes_no_turn),
        cmocka_unit_test(a_loop_that_hangs_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
