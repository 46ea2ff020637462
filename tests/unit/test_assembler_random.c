/*
 * The assembler's promise on random streams: good telegrams, damaged ones, noise and idle octets,
 * cut into random payloads. Every octet comes out once (stream_close), and every good telegram
 * whole. SEED=n repeats a run.
 */
#include "pieces.h"

static void feed_randomly(struct stream *s, const struct buf *all)
{
    size_t longest = 1 + dice(dice(2) == 0 ? 40 : 2000);

    for (size_t at = 0, len; at < all->len; at += len) {
        len = 1 + dice((uint32_t)longest);
        if (len > all->len - at)
            len = all->len - at;
        stream_feed(s, all->data + at, len);
        s->now_ms += 160;
        assert_true(assembler_pending(s->assembler) <= 4 * APDU_MAX + MBUS_FRAME_MAX);
    }
}

static void run_case(const struct pieces *p)
{
    struct stream s;

    if (!p->fit)
        return;
    stream_open(&s);
    feed_randomly(&s, &p->all);
    assembler_flush(s.assembler, stream_take, &s);
    pieces_check(p, &s.apdus, true);
    stream_close(&s);
}

static void random_streams(void **state)
{
    (void)state;
    pieces_run(run_case);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
