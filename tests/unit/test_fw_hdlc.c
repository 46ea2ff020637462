/* HDLC frames: the real ones, and every truncation and flipped bit of them. */
#include "vectors.h"

#include "hdlc.h"

static enum link_result check(const uint8_t *octets, size_t len, struct link_frame *f)
{
    struct octets exact = octets_copy(octets, len);
    enum link_result r = hdlc_check(exact.at, exact.len, f);

    free(exact.at);
    return r;
}

static void check_frame(const char *id, struct octets o)
{
    struct link_frame f;

    if (check(o.at, o.len, &f) != LINK_FRAME)
        fail_msg("%s is no frame", id);
    assert_int_equal(f.size, o.len);
    assert_int_equal(f.sequence, 0);
    for (size_t len = 1; len < o.len; len++)
        assert_int_equal(check(o.at, len, &f), LINK_INCOMPLETE);
    assert_int_equal(check(o.at, 0, &f), LINK_NOTHING);
    for (size_t bit = 0; bit < 8 * o.len; bit++) {
        o.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(check(o.at, o.len, &f), LINK_FRAME);
        o.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void every_real_frame(void **state)
{
    json_t *vectors = vectors_load();
    const json_t *vector;
    size_t i, seen = 0;

    (void)state;
    json_array_foreach(vectors, i, vector)
    {
        struct octets frames[FRAMES_MAX];
        size_t count = vector_frames(vector, frames);

        for (size_t k = 0; k < count; k++) {
            if (strcmp(vector_text(vector, "link"), "hdlc") == 0) {
                check_frame(vector_text(vector, "id"), frames[k]);
                seen++;
            }
            free(frames[k].at);
        }
    }
    assert_true(seen > 20);
    json_decref(vectors);
}

static void what_it_tells(void **state)
{
    struct octets frames[FRAMES_MAX];
    json_t *vectors = vectors_load();
    struct link_frame f;

    (void)state;
    assert_int_equal(vector_frames(vector_find(vectors, "wien-iskra-am550-gist"), frames), 1);
    assert_int_equal(hdlc_check(frames[0].at, frames[0].len, &f), LINK_FRAME);
    assert_memory_equal(f.data, "\xE6\xE7\x00", 3);
    assert_ptr_equal(f.data + f.len + 3, frames[0].at + frames[0].len);
    assert_true(f.last);
    free(frames[0].at);
    json_decref(vectors);
}

static const struct row {
    const char *why, *hex;
    enum link_result result;
} rows[] = {
    {"another format type", "7E B0 0A 01 01 13 00", LINK_NOTHING},
    {"shorter than any", "7E A0 08 01 01 13 00 00 00 7E", LINK_NOTHING},
    {"longer than any", "7E A7 FF", LINK_NOTHING},
    {"no flag", "7D A0 20", LINK_NOTHING},
    {"no flag at its end", "7E A0 09 03 03 13 00 00 00 00 00", LINK_BROKEN},
    {"its check fails", "7E A0 09 03 03 13 00 00 00 00 7E", LINK_DAMAGED},
};

static void others(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets o = octets_from_hex(rows[i].hex);
        struct link_frame f;

        if (hdlc_check(o.at, o.len, &f) != rows[i].result)
            fail_msg("%s", rows[i].why);
        free(o.at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_real_frame),
        cmocka_unit_test(what_it_tells),
        cmocka_unit_test(others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
