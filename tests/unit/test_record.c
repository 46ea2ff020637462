/* Records against their golden octets, which another implementation of msgpack made. */
#include "golden.h"

#include <errno.h>

#include "assembler.h"
#include "vectors.h"

static const uint8_t origin[ORIGIN_OCTETS] = {0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7,
                                              0xA8, 0xA9, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF};

static void check_octets(const char *name, const struct buf *packed)
{
    struct octets want = golden_octets(name);
    char *have_hex = hex_text(packed->data, packed->len), *want_hex = hex_text(want.at, want.len);

    if (strcmp(have_hex, want_hex) != 0)
        fail_msg("%s:\n%s, not\n%s", name, have_hex, want_hex);
    free(have_hex);
    free(want_hex);
    free(want.at);
}

static void golden_records_are_read_and_written(void **state)
{
    struct record_memory memory = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(goldens); i++) {
        struct octets o = golden_octets(goldens[i]);
        struct buf packed = {0};
        struct record r;
        size_t at = 0;

        if (record_unpack(o.at, o.len, &at, &r, &memory) != 0)
            fail_msg("%s is not read", goldens[i]);
        assert_int_equal(at, o.len);
        assert_memory_equal(r.origin, origin, ORIGIN_OCTETS);
        assert_int_equal(record_pack(&r, &packed), 0);
        check_octets(goldens[i], &packed);
        buf_free(&packed);
        free(o.at);
    }
    record_memory_free(&memory);
    record_memory_free(&memory);
}

/* The JSON beside them says the same, member for member and in the same order. */
static void golden_records_are_what_their_json_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(goldens); i++) {
        struct octets o = golden_octets(goldens[i]);
        json_t *file = golden_json(goldens[i]), *dump;
        char *want = json_dumps(file, JSON_COMPACT), *have;
        struct buf packed = {0};
        msgpack_unpacked u;

        msgpack_unpacked_init(&u);
        assert_int_equal(msgpack_unpack_next(&u, (const char *)o.at, o.len, NULL),
                         MSGPACK_UNPACK_SUCCESS);
        dump = golden_dump(&u.data);
        have = json_dumps(dump, JSON_COMPACT);
        if (strcmp(have, want) != 0)
            fail_msg("%s:\n%s, not\n%s", goldens[i], have, want);
        golden_add(&packed, file);
        check_octets(goldens[i], &packed);
        buf_free(&packed);
        msgpack_unpacked_destroy(&u);
        json_decref(dump);
        json_decref(file);
        free(have);
        free(want);
        free(o.at);
    }
}

/* --- structs to golden octets -------------------------------------------------------- */

static struct record delivery(enum record_type type, uint64_t seq, int64_t arrival_ms)
{
    struct record r = {.type = type,
                       .seq = seq,
                       .arrival_ms = arrival_ms,
                       .streams = "history,debounced",
                       .topic = "sensors/smartmeter"};

    memcpy(r.origin, origin, ORIGIN_OCTETS);
    return r;
}

static void check_pack(const char *name, const struct record *r)
{
    struct buf packed = {0};

    assert_int_equal(record_pack(r, &packed), 0);
    check_octets(name, &packed);
    buf_free(&packed);
}

static void pack_telegram(void *arg, const struct telegram_octets *t)
{
    struct record r = delivery(RECORD_TELEGRAM, 4711, 1686293876623);

    (void)arg;
    r.clock = 1;
    r.verdict = t->verdict;
    r.apdu = (struct view){t->apdu, t->apdu_len};
    r.octets = (struct view){t->octets, t->octets_len};
    check_pack("telegram", &r);
    ++*(int *)arg;
}

static void a_meters_frames_make_the_golden_telegram(void **state)
{
    struct assembler *assembler = assembler_new();
    json_t *vectors = vectors_load();
    struct octets frames[FRAMES_MAX];
    size_t n = vector_frames(vector_find(vectors, "netznoe-sagemcom-t210d-2"), frames);
    int telegrams = 0;

    (void)state;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(assembler_feed(assembler, frames[i].at, frames[i].len, (struct arrival){0},
                                        pack_telegram, &telegrams),
                         0);
        free(frames[i].at);
    }
    assert_int_equal(telegrams, 1);
    assembler_free(assembler);
    json_decref(vectors);
}

#define Q(f, m, s) [FIELD_##f] = {.present = true, .mantissa = (m), .scaler = (s)}

static void structs_make_the_golden_octets(void **state)
{
    static const struct ack_range ranges[] = {
        {1, 1, 0}, {3, 8192, 0}, {4294967296, 4294967301, 0}, {4711, 4711, 1}, {70000, 70001, 1}};
    struct record r = delivery(RECORD_READING, 4711, 1686293876623);
    json_t *json = golden_json("reject");
    struct octets frames = octets_from_hex(vector_text(json, "octets"));

    (void)state;
    r.reading = (struct reading){
        .meter = "5341475E40F89D93",
        .counter = 117277,
        .has_time = true,
        .time = 1686293875,
        .clock_status = 0x82,
        .number = "178290335021",
        .name = "Keller S\xC3\xBC"
                "d",
        .values = {Q(WIN, 6842204, 0), Q(WOUT, 6430217, 0), Q(PIN, 0, 0), Q(POUT, 2088, 0),
                   Q(U1, 2373, -1), Q(U2, 2378, -1), Q(U3, 2392, -1), Q(I1, 320, -2),
                   Q(I2, 273, -2), Q(I3, 292, -2), Q(PF, 991, -3)},
    };
    check_pack("reading-three-phase", &r);

    r = delivery(RECORD_READING, 300, 1704452402500);
    snprintf(r.topic, sizeof r.topic, "han");
    r.reading = (struct reading){
        .meter = "056B3C12541276DE",
        .counter = -1,
        .clock_status = 0xFF,
        .number = "7359075322867363",
        .values = {Q(PIN, 1362, 0), Q(POUT, 0, 0), Q(U1, 2500, -1), Q(I1, 93, -1), Q(QIN, 996, 0),
                   Q(QOUT, 0, 0)},
    };
    check_pack("reading-plain", &r);

    r = delivery(RECORD_DEBOUNCED, 255, 1632728835800);
    r.window = 1632728700;
    r.reading = (struct reading){
        .meter = "4B464D2D3281D0BF",
        .counter = 35,
        .has_time = true,
        .time = 1632728835,
        .clock_status = 0x80,
        .number = "181241675397",
        .values = {Q(WIN, 12937, 0), Q(WOUT, 0, 0), Q(PIN, 0, 0), Q(POUT, 0, 0), Q(U1, 2337, -1),
                   Q(U2, 0, -1), Q(U3, 0, -1), Q(I1, 0, -2), Q(I2, 0, -2), Q(I3, 0, -2),
                   Q(PF, 1000, -3)},
    };
    check_pack("debounced", &r);

    r = delivery(RECORD_REJECT, 65536, 1626702396000);
    r.attempt = 10;
    r.verdict = VERDICT_WRONG_KEY;
    r.reading = (struct reading){.meter = "4B464D84934B2C3D", .counter = 2710426};
    snprintf(r.detail, sizeof r.detail, "no data-notification header");
    r.octets = (struct view){frames.at, frames.len};
    check_pack("reject", &r);

    r = (struct record){
        .type = RECORD_ACK, .stream = "history", .ranges = ranges, .range_count = COUNT(ranges)};
    memcpy(r.origin, origin, ORIGIN_OCTETS);
    check_pack("ack", &r);
    free(frames.at);
    json_decref(json);
}

/* --- what goes through --------------------------------------------------------------- */

static void records_stand_back_to_back(void **state)
{
    struct record_memory memory = {0};
    struct buf message = {0};
    struct record r = {.seq = 0};
    size_t at = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(goldens); i++) {
        struct octets o = golden_octets(goldens[i]);

        assert_int_equal(record_unpack(o.at, o.len, &(size_t){0}, &r, &memory), 0);
        assert_int_equal(record_pack(&r, &message), 0);
        free(o.at);
    }
    for (size_t i = 0; i < COUNT(goldens); i++) {
        struct octets o = golden_octets(goldens[i]);
        size_t before = at;

        assert_int_equal(record_unpack(message.data, message.len, &at, &r, &memory), 0);
        assert_int_equal(at - before, o.len);
        if (r.type == RECORD_TELEGRAM || r.type == RECORD_REJECT) /* views into the message */
            assert_true(r.octets.at > message.data + before &&
                        r.octets.at + r.octets.len <= message.data + at);
        free(o.at);
    }
    assert_int_equal(at, message.len);
    buf_free(&message);
    record_memory_free(&memory);
}

#define LIMIT (INT64_C(1) << 53) /* of times and counters */

static void extremes_come_back_as_they_were(void **state)
{
    static const struct ack_range ranges[] = {{0, UINT64_MAX, UINT32_MAX},
                                              {UINT64_MAX, UINT64_MAX, 0}};
    struct record_memory memory = {0};
    struct record in = delivery(RECORD_DEBOUNCED, UINT64_MAX, -LIMIT), out;
    struct record ack = {.type = RECORD_ACK, .ranges = ranges, .range_count = COUNT(ranges)};
    struct buf packed = {0};
    size_t at = 0;

    (void)state;
    in.index = in.attempt = UINT32_MAX;
    in.window = -LIMIT / 1000;
    memset(in.topic, 't', TOPIC_CHARS);
    memset(in.streams, 's', STREAMS_CHARS);
    memset(in.reading.name, 'n', NAME_CHARS);
    memset(in.reading.number, '1', NUMBER_CHARS);
    memset(in.reading.meter, 'F', METER_ID_CHARS);
    in.reading.counter = -LIMIT;
    in.reading.has_time = true;
    in.reading.time = LIMIT / 1000;
    in.reading.clock_status = 255;
    for (int f = 0; f < FIELD_COUNT; f++)
        in.reading.values[f] = (struct quantity){.present = true,
                                                 .scaler = f % 2 == 0 ? -18 : 18,
                                                 .mantissa = f % 2 == 0 ? INT64_MIN : INT64_MAX};
    assert_int_equal(record_pack(&in, &packed), 0);
    assert_int_equal(record_pack(&ack, &packed), 0);
    assert_int_equal(record_unpack(packed.data, packed.len, &at, &out, &memory), 0);
    assert_int_equal(out.seq, UINT64_MAX);
    assert_int_equal(out.index, UINT32_MAX);
    assert_int_equal(out.attempt, UINT32_MAX);
    assert_true(out.arrival_ms == -LIMIT && out.window == -LIMIT / 1000);
    assert_string_equal(out.topic, in.topic);
    assert_string_equal(out.streams, in.streams);
    assert_string_equal(out.reading.name, in.reading.name);
    assert_string_equal(out.reading.number, in.reading.number);
    assert_string_equal(out.reading.meter, in.reading.meter);
    assert_true(out.reading.counter == -LIMIT && out.reading.time == LIMIT / 1000);
    for (int f = 0; f < FIELD_COUNT; f++)
        assert_true(out.reading.values[f].mantissa == in.reading.values[f].mantissa &&
                    out.reading.values[f].scaler == in.reading.values[f].scaler);
    assert_int_equal(record_unpack(packed.data, packed.len, &at, &out, &memory), 0);
    assert_int_equal(out.range_count, COUNT(ranges));
    for (size_t i = 0; i < COUNT(ranges); i++)
        assert_true(out.ranges[i].first == ranges[i].first &&
                    out.ranges[i].last == ranges[i].last && out.ranges[i].index == ranges[i].index);
    buf_free(&packed);
    record_memory_free(&memory);
}

static void beyond_the_extremes(void **state)
{
    const int64_t values[] = {LIMIT + 1, -LIMIT - 1, INT64_MAX, INT64_MIN};
    struct record_memory memory = {0};
    struct record out;

    (void)state;
    for (size_t i = 0; i < 3 * COUNT(values); i++) {
        struct record in = delivery(RECORD_DEBOUNCED, 1, i < 4 ? values[i] : 0);
        struct buf packed = {0};
        size_t at = 0;

        in.reading.has_time = true;
        in.reading.time = i / 4 == 1 ? values[i % 4] : 0;
        in.window = i / 4 == 2 ? values[i % 4] : 0;
        assert_int_equal(record_pack(&in, &packed), 0);
        assert_int_equal(record_unpack(packed.data, packed.len, &at, &out, &memory), -EPROTO);
        assert_int_equal(at, packed.len);
        buf_free(&packed);
    }
    record_memory_free(&memory);
}

static void the_time_of_a_record(void **state)
{
    struct record r = {.arrival_ms = 1686293876999, .reading.time = 1600000000};

    (void)state;
    assert_int_equal(record_time(&r), 1686293876);
    r.reading.has_time = true;
    assert_int_equal(record_time(&r), 1600000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_records_are_read_and_written),
        cmocka_unit_test(golden_records_are_what_their_json_says),
        cmocka_unit_test(a_meters_frames_make_the_golden_telegram),
        cmocka_unit_test(structs_make_the_golden_octets),
        cmocka_unit_test(records_stand_back_to_back),
        cmocka_unit_test(extremes_come_back_as_they_were),
        cmocka_unit_test(beyond_the_extremes),
        cmocka_unit_test(the_time_of_a_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
