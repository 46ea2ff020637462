/*
 * The assembler's promise on random streams: good telegrams, damaged ones, noise and idle octets,
 * cut into random payloads. Every octet comes out once (stream_close), and every good telegram
 * whole. SEED=n repeats a run.
 */
#include "pieces.h"

enum { CASES = 400 };

/* Good telegrams in their order; between them whatever the damaged ones made. */
static void check_good(const struct stream *s, const struct piece *pieces, size_t count)
{
    const uint8_t *at = s->apdus.data;
    size_t left = s->apdus.len;

    for (size_t i = 0; i < count; i++) {
        const uint8_t *found;

        if (!pieces[i].good)
            continue;
        found = left == 0 ? NULL : memmem(at, left, pieces[i].apdu.data, pieces[i].apdu.len);
        if (found == NULL)
            fail_msg("piece %zu of %zu is missing: %s", i, count, s->text);
        left -= (size_t)(found - at) + pieces[i].apdu.len;
        at = found + pieces[i].apdu.len;
    }
}

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

/* False when the case proves nothing. */
static bool run_case(void)
{
    struct piece pieces[PIECES_MAX];
    size_t count = 1 + dice(PIECES_MAX);
    struct buf all = {0};
    struct stream s;
    bool *sound, fit;

    for (size_t i = 0; i < count; i++)
        pieces[i] = random_piece();
    join(pieces, count, &all, &sound);
    fit = !has_false_frame(&all, sound);
    for (size_t i = 0; i < count; i++)
        fit = fit && !(pieces[i].good && is_ambiguous(&pieces[i]));
    if (fit) {
        stream_open(&s);
        feed_randomly(&s, &all);
        assembler_flush(s.assembler, stream_take, &s);
        check_good(&s, pieces, count);
        stream_close(&s);
    }
    for (size_t i = 0; i < count; i++) {
        buf_free(&pieces[i].octets);
        buf_free(&pieces[i].apdu);
    }
    buf_free(&all);
    free(sound);
    return fit;
}

static void random_streams(void **state)
{
    unsigned fit = 0;

    (void)state;
    pieces_seed();
    for (int i = 0; i < CASES; i++)
        fit += run_case();
    assert_true(fit > CASES * 9 / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
