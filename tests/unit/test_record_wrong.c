/* Records that are broken, newer or hostile: refused one by one, and the next one is read. */
#include "golden.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

/* msgpack-c allocates what a count claims; without memory it must say so, not end the process. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static struct record_memory memory;

static int forget_memory(void **state)
{
    (void)state;
    record_memory_free(&memory);
    return 0;
}

/* The octets behind `octets` must not be touched: an allocation of its own. */
static int unpack(const uint8_t *octets, size_t len, size_t *at, struct record *r)
{
    struct octets exact = octets_copy(octets, len);
    int rc = record_unpack(exact.at, exact.len, at, r, &memory);

    free(exact.at);
    return rc;
}

/* A record and a good one behind it: the first is judged, the second is read in any case. */
static void judge(const char *why, const json_t *record, int rc)
{
    json_t *good = golden_json("reading-plain");
    struct buf message = {0};
    struct record r;
    size_t at = 0, end;
    int got;

    golden_add(&message, record);
    end = message.len;
    golden_add(&message, good);
    got = unpack(message.data, message.len, &at, &r);
    if (got != rc || at != end)
        fail_msg("%s: %d at %zu, not %d at %zu", why, got, at, rc, end);
    got = unpack(message.data, message.len, &at, &r);
    if (got != 0 || at != message.len || strcmp(r.reading.meter, "056B3C12541276DE") != 0)
        fail_msg("%s: the next record: %d", why, got);
    buf_free(&message);
    json_decref(good);
}

/* A golden record with one member replaced, or taken out when value is NULL. */
static void
judge_changed(const char *why, const char *name, const char *key, const char *value, int rc)
{
    json_t *record = golden_json(name);
    json_error_t error;
    char text[256];

    snprintf(text, sizeof text, "%s: %s: %s = %.60s", name, why, key, value ? value : "nothing");
    if (value == NULL) {
        json_object_del(record, key);
    } else {
        json_t *json = json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);

        if (json == NULL)
            fail_msg("%s: %s", text, error.text);
        json_object_set_new(record, key, json);
    }
    judge(text, record, rc);
    json_decref(record);
}

/* Members that programs of before did not know. */
static bool is_optional(const char *key)
{
    return strcmp(key, "suspect") == 0 || strcmp(key, "reject") == 0 ||
           strcmp(key, "replays") == 0 || strcmp(key, "clock") == 0;
}

static void every_member_is_wanted_and_typed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(goldens); i++) {
        json_t *record = golden_json(goldens[i]);
        const char *key;
        json_t *value;

        json_object_foreach(record, key, value)
        {
            judge_changed("missing", goldens[i], key, NULL, is_optional(key) ? 0 : -EPROTO);
            if (strcmp(key, "type") == 0)
                continue;
            judge_changed("a boolean", goldens[i], key, "true", -EPROTO);
            judge_changed("a real", goldens[i], key, "1.5", -EPROTO);
            if (!json_is_integer(value) && !json_is_null(value))
                judge_changed("a number", goldens[i], key, "5", -EPROTO);
            if (!json_is_string(value))
                judge_changed("text", goldens[i], key, "\"5\"", -EPROTO);
            if (strcmp(key, "time") != 0)
                judge_changed("nil", goldens[i], key, "null", -EPROTO);
            if (!json_is_object(value))
                judge_changed("a map", goldens[i], key, "{}", -EPROTO);
            if (!json_is_array(value))
                judge_changed("an array", goldens[i], key, "[]", -EPROTO);
            if (json_is_string(value) && is_binary(key))
                judge_changed("text for binary", goldens[i], key, "{\"str\": \"A0A1\"}", -EPROTO);
            else
                judge_changed("binary", goldens[i], key, "{\"bin\": \"A0A1\"}", -EPROTO);
        }
        json_decref(record);
    }
}

#define T8  "12345678"
#define T32 T8 T8 T8 T8
#define T64 T32 T32

static void members_and_their_bounds(void **state)
{
    static const struct row {
        const char *why, *name, *key, *value;
        int rc;
    } rows[] = {
        {"longest", "reading-plain", "meter", "\"" T8 T8 "\"", 0},
        {"too long", "reading-plain", "meter", "\"" T8 T8 "x\"", -EPROTO},
        {"longest", "reading-plain", "number", "\"" T32 "\"", 0},
        {"too long", "reading-plain", "number", "\"" T32 "x\"", -EPROTO},
        {"longest", "reading-plain", "name", "\"" T64 "\"", 0},
        {"too long", "reading-plain", "name", "\"" T64 "x\"", -EPROTO},
        {"longest", "reject", "detail", "\"" T64 T32 T8 T8 T8 "1234567\"", 0},
        {"too long", "reject", "detail", "\"" T64 T64 "\"", -EPROTO},
        {"too long", "ack", "stream", "\"" T64 T64 "\"", -EPROTO},
        {"too long", "reject", "topic", "\"" T64 T64 T64 T64 "\"", -EPROTO},
        {"NUL inside", "reading-plain", "name", "\"a\\u0000b\"", -EPROTO},
        {"NUL at the end", "reading-plain", "topic", "\"a\\u0000\"", -EPROTO},
        {"NUL inside", "reject", "verdict", "\"tag\\u0000\"", -EPROTO},
        {"unknown", "reject", "verdict", "\"checksums\"", -EPROTO},
        {"unknown", "telegram", "verdict", "\"\"", -EPROTO},
        {"far too long", "telegram", "verdict", "\"" T64 "\"", -EPROTO},
        {"all known ones", "telegram", "verdict", "\"refused\"", 0},
        {"15 octets", "reject", "origin", "\"000102030405060708090A0B0C0D0E\"", -EPROTO},
        {"17 octets", "ack", "origin", "\"000102030405060708090A0B0C0D0E0F10\"", -EPROTO},
        {"no octets", "telegram", "apdu", "\"\"", 0},
        {"negative", "telegram", "seq", "-1", -EPROTO},
        {"largest", "telegram", "index", "4294967295", 0},
        {"too large", "telegram", "index", "4294967296", -EPROTO},
        {"too large", "telegram", "attempt", "4294967296", -EPROTO},
        {"negative", "telegram", "attempt", "-1", -EPROTO},
        {"before 1970", "telegram", "arrival", "-1", 0},
        {"largest", "reading-plain", "clock_status", "255", 0},
        {"too large", "reading-plain", "clock_status", "256", -EPROTO},
        {"negative", "reading-plain", "clock_status", "-1", -EPROTO},
        {"none at all", "reading-plain", "values", "{}", 0},
        {"a field of later", "reading-plain", "values", "{\"THD\": [1, -2], \"PIn\": [1, 0]}", 0},
        {"no pair", "reading-plain", "values", "{\"PIn\": 1}", -EPROTO},
        {"one of a pair", "reading-plain", "values", "{\"PIn\": [1]}", -EPROTO},
        {"three", "reading-plain", "values", "{\"PIn\": [1, 0, 0]}", -EPROTO},
        {"a real", "reading-plain", "values", "{\"PIn\": [1.5, 0]}", -EPROTO},
        {"a scaler too large", "reading-plain", "values", "{\"PIn\": [1, 19]}", -EPROTO},
        {"a scaler too small", "reading-plain", "values", "{\"PIn\": [1, -19]}", -EPROTO},
        {"scalers at the ends", "reading-plain", "values", "{\"PIn\": [1, 18], \"U1\": [1, -18]}",
         0},
        {"none", "ack", "ranges", "[]", 0},
        {"numbers", "ack", "ranges", "[1, 2, 0]", -EPROTO},
        {"a pair", "ack", "ranges", "[[1, 2]]", -EPROTO},
        {"four", "ack", "ranges", "[[1, 2, 0, 0]]", -EPROTO},
        {"backwards", "ack", "ranges", "[[1, 1, 0], [2, 1, 0]]", -EPROTO},
        {"negative", "ack", "ranges", "[[-1, 1, 0]]", -EPROTO},
        {"an index too large", "ack", "ranges", "[[1, 1, 4294967296]]", -EPROTO},
        {"a newer version", "reading-plain", "v", "2", -ENOTSUP},
        {"a much newer one", "ack", "v", "65536", -ENOTSUP},
        {"an unknown type", "reading-plain", "type", "\"forecast\"", -ENOTSUP},
        {"nearly a type", "reading-plain", "type", "\"readings\"", -ENOTSUP},
        {"a negative version", "reading-plain", "v", "-1", -EPROTO},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        judge_changed(rows[i].why, rows[i].name, rows[i].key, rows[i].value, rows[i].rc);
}

/* A newer version may have other members altogether. */
static void a_newer_version_is_known_by_its_number_alone(void **state)
{
    json_t *record = json_pack("{s:i, s:s, s:[i]}", "v", 2, "type", "reading", "origin", 7);

    (void)state;
    judge("newer and different", record, -ENOTSUP);
    json_decref(record);
}

static void unknown_keys_are_ignored(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(goldens); i++) {
        judge_changed("unknown", goldens[i], "quality", "{\"deep\": [1, {\"er\": null}]}", 0);
        judge_changed("unknown", goldens[i], "Origin", "true", 0);
    }
}

/* Another language's writer: keys in reverse, numbers in 8 octets, keys that are no text. */
static void other_spellings_are_read(void **state)
{
    struct octets o = octets_from_hex(
        "87 C0C3 07A0 A672616E676573 9193 CF0000000000000001 CF0000000000000002 D30000000000000000 "
        "DA0006 73747265616D D907 686973746F7279 "
        "A66F726967696E C600000010 000102030405060708090A0B0C0D0E0F A474797065 A361636B A176 CC01");
    struct record r;
    size_t at = 0;

    (void)state;
    assert_int_equal(unpack(o.at, o.len, &at, &r), 0);
    assert_int_equal(at, o.len);
    assert_int_equal(r.type, RECORD_ACK);
    assert_string_equal(r.stream, "history");
    assert_int_equal(r.origin[15], 0x0F);
    assert_int_equal(r.range_count, 1);
    free(o.at);
}

static void what_breaks_off_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(goldens); i++) {
        struct octets o = golden_octets(goldens[i]);

        for (size_t len = 0; len < o.len; len++) {
            struct record r;
            size_t at = 0;
            int rc = unpack(o.at, len, &at, &r);

            if (rc != -EPROTO || at != len)
                fail_msg("%s cut to %zu: %d at %zu", goldens[i], len, rc, at);
        }
        free(o.at);
    }
}

/* What msgpack-c gives up on must not read as "try again", nor leave *at inside the record. */
static void what_is_no_record_is_refused(void **state)
{
    static const struct row {
        const char *why, *octets;
        bool told; /* where it ends */
    } rows[] = {
        {"nil", "C0", true},
        {"a number", "07", true},
        {"text", "A3616263", true},
        {"an array", "9101", true},
        {"an empty map", "80", true},
        {"an octet that msgpack never uses", "C1", false},
        {"16 million entries, none there", "DF00FFFFFF", false},
        {"4 GiB of text, none there", "DBFFFFFFFF", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets o = octets_from_hex(rows[i].octets);
        struct buf message = {0};
        struct record r;
        size_t at = 0;
        int rc;

        assert_int_equal(buf_add(&message, o.at, o.len), 0);
        assert_int_equal(buf_add(&message, "\xC0\xC0", 2), 0);
        rc = unpack(message.data, message.len, &at, &r);
        if (rc != -EPROTO || at != (rows[i].told ? o.len : message.len))
            fail_msg("%s: %d at %zu", rows[i].why, rc, at);
        buf_free(&message);
        free(o.at);
    }
}

static void deep_nests_are_refused(void **state)
{
    static const uint8_t heads[] = {0x91, 0x81};
    uint8_t octets[401];

    (void)state;
    for (size_t h = 0; h < COUNT(heads); h++) {
        struct record r;
        size_t at = 0;
        int rc;

        memset(octets, heads[h], 200); /* a map's key is the next map */
        memset(octets + 200, 0xC0, 201);
        rc = unpack(octets, sizeof octets, &at, &r);
        if (rc != -EPROTO || at != sizeof octets)
            fail_msg("200 times %02X: %d at %zu", heads[h], rc, at);
    }
}

/* Random octets, and golden ones with random changes: any answer, and always onwards. */
static void noise_does_no_harm(void **state)
{
    unsigned seed = (unsigned)time(NULL);
    struct octets good[COUNT(goldens)];
    uint8_t octets[1024];

    (void)state;
    print_message("seed %u\n", seed);
    srandom(seed);
    for (size_t i = 0; i < COUNT(goldens); i++)
        good[i] = golden_octets(goldens[i]);
    for (int turn = 0; turn < 8000; turn++) {
        const struct octets *o = &good[(size_t)turn % COUNT(goldens)];
        size_t len = turn % 2 == 0 ? o->len : (size_t)random() % 64;
        size_t at = 0;

        memcpy(octets, o->at, o->len);
        for (size_t i = 0; i < (turn % 2 == 0 ? 3 : len); i++) {
            uint8_t octet = (uint8_t)random();

            /* 32-bit counts would only show that malloc can fail */
            octets[turn % 2 == 0 ? (size_t)random() % len : i] =
                octet == 0xDD || octet == 0xDF ? 0x81 : octet;
        }
        while (at < len) {
            size_t before = at;
            struct record r;
            int rc = record_unpack(octets, len, &at, &r, &memory);

            if (at <= before || at > len || (rc != 0 && rc != -EPROTO && rc != -ENOTSUP))
                fail_msg("turn %d: %d at %zu after %zu", turn, rc, at, before);
        }
    }
    for (size_t i = 0; i < COUNT(goldens); i++)
        free(good[i].at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_is_wanted_and_typed),
        cmocka_unit_test(members_and_their_bounds),
        cmocka_unit_test(a_newer_version_is_known_by_its_number_alone),
        cmocka_unit_test(unknown_keys_are_ignored),
        cmocka_unit_test(other_spellings_are_read),
        cmocka_unit_test(what_breaks_off_is_refused),
        cmocka_unit_test(what_is_no_record_is_refused),
        cmocka_unit_test(deep_nests_are_refused),
        cmocka_unit_test(noise_does_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, forget_memory);
}
