/* M-Bus long frames (quirks Q1, Q2, Q6, Q20). */
#include "vectors.h"

#include <stdio.h>

#include "mbus.h"

static const char *const names[] = {
    [LINK_FRAME] = "frame",     [LINK_INCOMPLETE] = "incomplete", [LINK_FOREIGN] = "foreign",
    [LINK_DAMAGED] = "damaged", [LINK_BROKEN] = "broken",         [LINK_NOTHING] = "nothing"};

/* Of a copy with nothing behind it. */
static enum link_result check(const uint8_t *octets, size_t len, struct link_frame *f)
{
    struct octets exact = octets_copy(octets, len);
    enum link_result r = mbus_check(exact.at, exact.len, f);

    if (r == LINK_FRAME)
        f->data = octets + (f->data - exact.at);
    free(exact.at);
    return r;
}

static void each_real_frame(const json_t *vector, void (*test)(const struct octets *, size_t))
{
    struct octets frames[FRAMES_MAX];
    size_t count = vector_frames(vector, frames);

    for (size_t i = 0; i < count; i++) {
        test(&frames[i], i);
        free(frames[i].at);
    }
}

static void each_mbus_vector(void (*test)(const struct octets *, size_t))
{
    json_t *vectors = vectors_load();
    const json_t *vector;
    size_t i;

    json_array_foreach(vectors, i, vector) if (strcmp(vector_text(vector, "link"), "mbus") == 0)
        each_real_frame(vector, test);
    json_decref(vectors);
}

static void check_fields(const struct octets *frame, size_t number)
{
    struct link_frame f;

    assert_int_equal(check(frame->at, frame->len, &f), LINK_FRAME);
    assert_int_equal(f.size, frame->len);
    assert_ptr_equal(f.data, frame->at + 9);
    assert_int_equal(f.len, frame->len - MBUS_OVERHEAD);
    assert_int_equal(f.sequence, number);
    assert_int_equal(f.last, number == 1);
    if (f.address != 0x0167) /* the broken vector's second fragment */
        assert_int_equal(f.address, 0x4783);
}

static void real_frames(void **state)
{
    (void)state;
    each_mbus_vector(check_fields);
}

/* The seed's first fragment has 257 octets, which its length octet says as 01. */
static void both_lengths(void **state)
{
    static const struct row {
        const char *vector;
        size_t frame;
        uint8_t length;
        size_t data;
    } rows[] = {
        {"seed-frame", 0, 0x01, 252},
        {"seed-frame", 1, 0x0D, 8},
        {"netznoe-kaifa-ma309m-doc", 0, 0xFA, 245},
        {"netznoe-kaifa-ma309m-doc", 1, 0x14, 15},
        {"netznoe-sagemcom-t210d-2", 0, 0xFA, 245},
        {"tirol-kaifa-ma110m-doc", 1, 0x26, 33},
        {"vorarlberg-kaifa-ma309m", 1, 0x72, 109},
    };
    json_t *vectors = vectors_load();

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets frames[FRAMES_MAX] = {0};
        struct link_frame f;
        size_t count = vector_frames(vector_find(vectors, rows[i].vector), frames);

        assert_int_equal(frames[rows[i].frame].at[1], rows[i].length);
        assert_int_equal(check(frames[rows[i].frame].at, frames[rows[i].frame].len, &f),
                         LINK_FRAME);
        assert_int_equal(f.len, rows[i].data);
        while (count-- > 0)
            free(frames[count].at);
    }
    json_decref(vectors);
}

static void check_truncations(const struct octets *frame, size_t number)
{
    struct link_frame f;

    (void)number;
    assert_int_equal(check(frame->at, 0, &f), LINK_NOTHING);
    for (size_t len = 1; len < frame->len; len++)
        assert_int_equal(check(frame->at, len, &f), LINK_INCOMPLETE);
}

static void every_truncation_is_incomplete(void **state)
{
    (void)state;
    each_mbus_vector(check_truncations);
}

/* What a flipped bit in each place makes of a frame behind which more octets stand. */
static enum link_result after_flip(size_t at, size_t size)
{
    if (at < 4)
        return LINK_NOTHING; /* 68 L L 68 do not agree any more */
    return at == size - 1 ? LINK_BROKEN : LINK_DAMAGED;
}

static void check_flips(const struct octets *frame, size_t number)
{
    struct octets more = octets_copy(frame->at, frame->len);
    struct link_frame f;

    (void)number;
    more.at = realloc(more.at, MBUS_FRAME_MAX + frame->len);
    memset(more.at + frame->len, 0xFF, MBUS_FRAME_MAX);
    for (size_t bit = 0; bit < 8 * frame->len; bit++) {
        enum link_result want = after_flip(bit / 8, frame->len), alone, followed;

        more.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
        alone = check(more.at, frame->len, &f);
        followed = mbus_check(more.at, MBUS_FRAME_MAX + frame->len, &f);
        if (alone == LINK_FRAME || followed != want)
            fail_msg("bit %zu: %s, %s", bit, names[alone], names[followed]);
        more.at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(more.at);
}

static void every_flipped_bit_is_seen(void **state)
{
    (void)state;
    each_mbus_vector(check_flips);
}

/* Both length octets changed alike, so that only sum and stop octet can tell. */
static void check_other_lengths(const struct octets *frame, size_t number)
{
    struct octets o = octets_copy(frame->at, frame->len);
    struct link_frame f;

    (void)number;
    for (unsigned length = 0; length < 256; length++) {
        if (length == frame->at[1])
            continue;
        o.at[1] = o.at[2] = (uint8_t)length;
        assert_int_not_equal(check(o.at, o.len, &f), LINK_FRAME);
    }
    free(o.at);
}

static void every_other_length_is_seen(void **state)
{
    (void)state;
    each_mbus_vector(check_other_lengths);
}

static void control_fields(void **state)
{
    static const struct row {
        const char *why;
        uint8_t c, ci;
        enum link_result result;
    } rows[] = {
        {"first of several", 0x53, 0x00, LINK_FRAME},
        {"second and last", 0x53, 0x11, LINK_FRAME},
        {"single", 0x53, 0x10, LINK_FRAME},
        {"sixteenth and last", 0x53, 0x1F, LINK_FRAME},
        {"frame count bit", 0x73, 0x00, LINK_FRAME},
        {"response", 0x08, 0x00, LINK_FRAME},
        {"response, data flow", 0x18, 0x00, LINK_FRAME},
        {"response, access demand", 0x28, 0x00, LINK_FRAME},
        {"response, both", 0x38, 0x00, LINK_FRAME},
        {"the capture of DomiStyle#12", 0x53, 0xFF, LINK_FOREIGN},
        {"bit 5 of CI", 0x53, 0x20, LINK_FOREIGN},
        {"bit 6 of CI", 0x53, 0x51, LINK_FOREIGN},
        {"variable data respond, another kind of meter", 0x08, 0x72, LINK_FOREIGN},
        {"request", 0x5B, 0x00, LINK_FOREIGN},
        {"link reset", 0x40, 0x00, LINK_FOREIGN},
        {"zero", 0x00, 0x00, LINK_FOREIGN},
        {"response with the direction bit", 0x48, 0x00, LINK_FOREIGN},
        {"bit 7", 0xD3, 0x00, LINK_FOREIGN},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t frame[MBUS_OVERHEAD + 3];
        struct link_frame f;
        enum link_result r;

        mbus_write(frame, sizeof frame, rows[i].ci, 0x0167, (const uint8_t *)"abc", 3);
        frame[12] = (uint8_t)(frame[12] + rows[i].c - frame[4]);
        frame[4] = rows[i].c;
        r = check(frame, sizeof frame, &f);
        if (r != rows[i].result)
            fail_msg("%s: %s", rows[i].why, names[r]);
        if (r != LINK_FRAME)
            continue;
        assert_int_equal(f.sequence, rows[i].ci & 0x0F);
        assert_int_equal(f.last, rows[i].ci >> 4);
    }
}

static void other_octets(void **state)
{
    static const struct row {
        const char *why, *octets;
        enum link_result result;
    } rows[] = {
        {"another start", "69FAFA68", LINK_NOTHING},
        {"short frame", "105B015C16", LINK_NOTHING},
        {"acknowledgement", "E5", LINK_NOTHING},
        {"lengths differ", "68FA14", LINK_NOTHING},
        {"no second start", "68FAFA16", LINK_NOTHING},
        {"start alone", "68", LINK_INCOMPLETE},
        {"start and one length: 68 may be data (Q6)", "68FA", LINK_INCOMPLETE},
        {"68 four times", "68686868", LINK_INCOMPLETE},
        {"no room for C to DTSAP, but it may be 260", "6804046853000167BB16", LINK_INCOMPLETE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets o = octets_from_hex(rows[i].octets);
        struct link_frame f;
        enum link_result r = check(o.at, o.len, &f);

        if (r != rows[i].result)
            fail_msg("%s: %s", rows[i].why, names[r]);
        free(o.at);
    }
}

static void what_is_written_is_read(void **state)
{
    uint8_t data[507], frame[MBUS_FRAME_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(0x80 | i); /* no stop octet among them */
    for (size_t len = 0; len <= 506; len++) {
        uint8_t ci = (uint8_t)(len & 0x1F);
        struct link_frame f;

        assert_int_equal(mbus_write(frame, sizeof frame, ci, 0x0167, data, len),
                         len + MBUS_OVERHEAD);
        assert_int_equal(check(frame, len + MBUS_OVERHEAD, &f), LINK_FRAME);
        assert_int_equal(f.size, len + MBUS_OVERHEAD);
        assert_int_equal(f.len, len);
        assert_memory_equal(f.data, data, len);
        assert_int_equal(f.address, 0x0167);
        assert_int_equal(f.sequence, ci & 0x0F);
        assert_int_equal(f.last, ci >> 4);
        /* not one octet of room less */
        assert_int_equal(mbus_write(frame, len + MBUS_OVERHEAD - 1, ci, 0x0167, data, len), 0);
    }
    assert_int_equal(mbus_write(frame, sizeof frame, 0x10, 0x0167, data, 507), 0);
    assert_int_equal(mbus_write(frame, SIZE_MAX, 0x10, 0x0167, data, SIZE_MAX), 0);
    assert_int_equal(mbus_write(frame, SIZE_MAX, 0x10, 0x0167, data, SIZE_MAX - 4), 0);
}

static void real_frames_written_again(const struct octets *frame, size_t number)
{
    uint8_t out[MBUS_FRAME_MAX];
    struct link_frame f;

    (void)number;
    assert_int_equal(check(frame->at, frame->len, &f), LINK_FRAME);
    assert_int_equal(mbus_write(out, sizeof out, frame->at[6], f.address, f.data, f.len),
                     frame->len);
    assert_memory_equal(out, frame->at, frame->len);
}

static void writes_as_meters_do(void **state)
{
    (void)state;
    each_mbus_vector(real_frames_written_again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_frames),
        cmocka_unit_test(both_lengths),
        cmocka_unit_test(every_truncation_is_incomplete),
        cmocka_unit_test(every_flipped_bit_is_seen),
        cmocka_unit_test(every_other_length_is_seen),
        cmocka_unit_test(control_fields),
        cmocka_unit_test(other_octets),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(writes_as_meters_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
