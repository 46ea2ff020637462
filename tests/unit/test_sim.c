/* meter-sim: its frames against those of real meters, its clock, and what its fleet promises. */
#include "vectors.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apdu.h"
#include "decode.h"
#include "frame.h"
#include "mbus.h"
#include "sim.h"
#include "sim_home.h"
#include "sim_keys.h"
#include "sim_time.h"

#define JUNE 1717200000 /* 2024-06-01T00:00:00Z */

/* Decimals of the fields as all models here send them. */
static double resolution(enum field f)
{
    if (f >= FIELD_U1 && f <= FIELD_U3)
        return 10;
    if (f >= FIELD_I1 && f <= FIELD_I3)
        return 100;
    return f == FIELD_PF ? 1000 : 1;
}

static uint8_t octet_of(const char *hex)
{
    uint8_t octet;

    assert_int_equal(hex_decode(hex, &octet, 1), 0);
    return octet;
}

static struct sim_meter vector_meter(const json_t *vector, enum sim_model model)
{
    struct sim_meter m = {.model = model};
    const char *device = vector_text(vector, "logical_device_name");

    m.security_control = octet_of(vector_text(vector, "security_control"));
    assert_int_equal(hex_decode(vector_text(vector, "key"), m.key, KEY_OCTETS), 0);
    assert_int_equal(hex_decode(vector_text(vector, "system_title"), m.title, SYSTEM_TITLE_OCTETS),
                     0);
    snprintf(m.number, sizeof m.number, "%s", vector_text(vector, "meter_number"));
    snprintf(m.device, sizeof m.device, "%s", device == NULL ? "" : device);
    return m;
}

static struct sim_reading vector_reading(const json_t *vector)
{
    struct sim_reading r = {0};
    const char *clock = vector_text(vector, "clock");
    struct octets plain = octets_from_hex(vector_text(vector, "plaintext"));
    const json_t *value;
    const char *name;

    assert_int_equal(sim_time_parse(clock, &r.time), 0);
    r.deviation = strstr(clock, "+02:00") != NULL ? -120 : -60;
    r.clock_status = octet_of(vector_text(vector, "clock_status"));
    r.counter = (uint32_t)json_integer_value(json_object_get(vector, "frame_counter"));
    for (int i = 1; i <= 4; i++)
        r.invoke_id = r.invoke_id << 8 | plain.at[i];
    free(plain.at);
    json_object_foreach(json_object_get(vector, "values"), name, value)
    {
        int f = field_from_name(name, (unsigned)strlen(name));

        assert_true(f >= 0);
        r.values[f] = (uint32_t)lround(json_number_value(value) * resolution((enum field)f));
    }
    return r;
}

static void frames_are_those_of_real_meters(void **state)
{
    static const struct row {
        const char *id;
        enum sim_model model;
    } rows[] = {
        {"netznoe-kaifa-ma309m-doc", SIM_MA309M},
        {"netznoe-sagemcom-t210d-olddoc-mbus", SIM_T210D_A},
        {"netznoe-sagemcom-t210d-2", SIM_T210D_B},
        {"tirol-kaifa-ma110m-doc", SIM_MA110M},
    };
    struct gcm *gcm = gcm_new();
    json_t *vectors = vectors_load();

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const json_t *vector = vector_find(vectors, rows[i].id);
        struct sim_meter meter = vector_meter(vector, rows[i].model);
        struct sim_reading reading = vector_reading(vector);
        struct octets frames[FRAMES_MAX];
        struct frame_telegram t;
        size_t at = 0;

        assert_int_equal(frame_encode(gcm, &meter, &reading, &t), 0);
        assert_int_equal(vector_frames(vector, frames), t.count);
        for (size_t f = 0; f < t.count; f++) {
            if (frames[f].len != t.lens[f] || memcmp(frames[f].at, t.octets + at, t.lens[f]) != 0)
                fail_msg("%s: frame %zu is another", rows[i].id, f);
            at += t.lens[f];
            free(frames[f].at);
        }
        assert_int_equal(at, t.len);
    }
    json_decref(vectors);
    gcm_free(gcm);
}

/* The APDU in a telegram's frames. */
static size_t join(const struct frame_telegram *t, uint8_t apdu[FRAME_TELEGRAM_MAX])
{
    size_t at = 0, len = 0;

    for (size_t f = 0; f < t->count; f++) {
        struct link_frame frame;

        assert_int_equal(mbus_check(t->octets + at, t->lens[f], &frame), LINK_FRAME);
        assert_int_equal(frame.sequence, f);
        assert_int_equal(frame.last, f + 1 == t->count);
        memcpy(apdu + len, frame.data, frame.len);
        len += frame.len;
        at += t->lens[f];
    }
    return len;
}

static const struct decode_keys *lookup(void *arg, const uint8_t title[SYSTEM_TITLE_OCTETS])
{
    (void)title;
    return arg;
}

static void assert_decodes(struct gcm *gcm,
                           const struct sim_meter *meter,
                           const struct sim_reading *reading,
                           bool tag)
{
    struct decode_keys keys = {.has_key = true, .has_authentication_key = tag};
    struct frame_telegram t;
    struct reading out;
    uint8_t apdu[FRAME_TELEGRAM_MAX];
    char title[2 * SYSTEM_TITLE_OCTETS + 1];
    const char *detail;
    size_t len;

    memcpy(keys.key, meter->key, KEY_OCTETS);
    memcpy(keys.authentication_key, meter->authentication_key, KEY_OCTETS);
    assert_int_equal(frame_encode(gcm, meter, reading, &t), 0);
    len = join(&t, apdu);
    assert_int_equal(decode_apdu(gcm, apdu, len, lookup, &keys, &out, &detail), VERDICT_OK);
    hex_encode(meter->title, SYSTEM_TITLE_OCTETS, title);
    assert_string_equal(out.meter, title);
    assert_string_equal(out.number, meter->number);
    assert_int_equal(out.counter, reading->counter);
    assert_true(out.has_time);
    assert_int_equal(out.time, reading->time);
    for (int f = 0; f < FIELD_COUNT; f++)
        assert_int_equal(out.values[f].present ? out.values[f].mantissa : 0, reading->values[f]);
}

static void every_model_decodes_to_what_went_in(void **state)
{
    struct gcm *gcm = gcm_new();

    (void)state;
    for (int tag = 0; tag <= 1; tag++) {
        struct sim_conf conf = {.seed = 5, .meters = 40, .interval_s = 60, .tag = tag == 1};
        struct sim *s;
        int64_t from;

        conf.mix = SIM_MIX_ALL;
        s = sim_new(&conf);
        from = sim_position(s, JUNE * INT64_C(1000));
        for (int64_t p = from; p < from + 40 * 10; p++) {
            struct sim_meter meter;
            struct sim_reading reading;

            sim_meter(s, (uint32_t)(p % 40), &meter);
            assert_int_equal(meter.security_control & SC_AUTHENTICATED, tag == 1 ? 0x10 : 0);
            assert_int_equal(sim_read(s, p, &reading), 0);
            assert_decodes(gcm, &meter, &reading, tag == 1);
        }
        sim_free(s);
    }
    gcm_free(gcm);
}

static void sizes_of_frames(void **state)
{
    static const struct row {
        enum sim_model model;
        size_t first, second;
    } rows[] = {
        {SIM_T210D_A, 263, 19}, {SIM_T210D_B, 256, 26}, {SIM_MA309M, 256, 26},
        {SIM_MA110M, 256, 44},  {SIM_S210, 203, 0},
    };
    struct gcm *gcm = gcm_new();

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sim_meter m = {.model = rows[i].model, .security_control = SC_ENCRYPTED};
        struct sim_reading r = {.time = JUNE};
        struct frame_telegram t;
        bool tirol = m.model == SIM_MA110M;

        snprintf(m.number, sizeof m.number, tirol ? "1KFM0000000001" : "178000000001");
        snprintf(m.device, sizeof m.device, "KFM1000000000001");
        assert_int_equal(frame_encode(gcm, &m, &r, &t), 0);
        assert_int_equal(t.lens[0], rows[i].first);
        assert_int_equal(t.count, rows[i].second == 0 ? 1 : 2);
        assert_int_equal(t.count == 1 ? 0 : t.lens[1], rows[i].second);
    }
    gcm_free(gcm);
}

static void times_as_people_write_them(void **state)
{
    static const struct row {
        const char *text;
        int rc;
        int64_t utc;
    } rows[] = {
        {"2024-06-01T12:00:00Z", 0, 1717243200},
        {"2024-06-01T14:00:00+02:00", 0, 1717243200},
        {"2024-06-01t09:30:00.125-02:30", 0, 1717243200},
        {"2024-02-29 00:00:00z", 0, 1709164800},
        {"1717243200", 0, 1717243200},
        {"2023-02-29T00:00:00Z", -EINVAL, 0},
        {"2024-06-01T24:00:00Z", -EINVAL, 0},
        {"2024-13-01T00:00:00Z", -EINVAL, 0},
        {"2024-06-01T12:00:00", -EINVAL, 0},
        {"2024-06-01T12:00:00+0200", -EINVAL, 0},
        {"2024-06-01T12:00:00+02:00 ", -EINVAL, 0},
        {"2024-06-01", -EINVAL, 0},
        {"1717243200x", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {"", -EINVAL, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t utc = 0;

        if (sim_time_parse(rows[i].text, &utc) != rows[i].rc || utc != rows[i].utc)
            fail_msg("%s: %lld", rows[i].text, (long long)utc);
    }
}

static void summer_time_begins_and_ends(void **state)
{
    static const struct row {
        const char *text;
        bool summer;
    } rows[] = {
        {"2024-03-31T00:59:59Z", false}, {"2024-03-31T01:00:00Z", true},
        {"2024-10-27T00:59:59Z", true},  {"2024-10-27T01:00:00Z", false},
        {"2026-03-29T01:00:00Z", true}, /* the 29th */
        {"2026-10-25T00:59:59Z", true},  {"2026-10-25T01:00:00Z", false},
        {"2019-03-31T01:00:00Z", true}, /* the last Sunday is the 31st */
        {"2025-01-01T00:00:00Z", false}, {"2025-12-31T23:59:59Z", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t utc;

        assert_int_equal(sim_time_parse(rows[i].text, &utc), 0);
        if (sim_time_summer(utc) != rows[i].summer)
            fail_msg("%s", rows[i].text);
    }
}

static void positions_follow_time(void **state)
{
    static const struct sim_conf confs[] = {
        {.seed = 1, .meters = 1, .interval_s = 5},
        {.seed = 1, .meters = 3, .interval_s = 1},
        {.seed = 1, .meters = 7, .interval_s = 5},
        {.seed = 1, .meters = 100000, .interval_s = 5},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(confs); i++) {
        struct sim *s = sim_new(&confs[i]);

        for (int64_t ms = JUNE * INT64_C(1000); ms < JUNE * INT64_C(1000) + 20000; ms += 37) {
            int64_t p = sim_position(s, ms);

            assert_true(sim_due_ms(s, p) >= ms);
            assert_true(sim_due_ms(s, p - 1) < ms);
            assert_int_equal(sim_due_ms(s, p + confs[i].meters),
                             sim_due_ms(s, p) + 1000 * (int64_t)confs[i].interval_s);
        }
        sim_free(s);
    }
}

static void assert_plausible(const struct sim_reading *r, bool three_phase)
{
    int net = (int)r->values[FIELD_PIN] - (int)r->values[FIELD_POUT];
    double apparent = 0;

    for (int p = 0; p < (three_phase ? 3 : 1); p++) {
        assert_in_range(r->values[FIELD_U1 + p], 2250, 2420);
        apparent += r->values[FIELD_U1 + p] / 10.0 * r->values[FIELD_I1 + p] / 100.0;
    }
    if (r->values[FIELD_PF] > 0) {
        assert_in_range(r->values[FIELD_PF], 800, 1000);
        assert_true(fabs(apparent * r->values[FIELD_PF] / 1000 - abs(net)) < 5);
    }
    assert_in_range(r->values[FIELD_PIN], 0, 25000);
    assert_in_range(r->values[FIELD_POUT], 0, 15000);
}

/* Over three days, across the end of summer time and one of the household's four-year cycles. */
static void energy_is_the_integral_of_power(void **state)
{
    static const int64_t starts[] = {1729814400, 1577664000}; /* 2024-10-25, 2019-12-30 */
    static const uint32_t intervals[] = {5, 60, 901};

    (void)state;
    for (size_t i = 0; i < COUNT(intervals) * COUNT(starts); i++) {
        struct sim_conf conf = {.seed = 3, .meters = 10, .interval_s = intervals[i / 2]};
        struct sim *s;
        struct sim_meter meter;
        struct sim_reading first = {0}, last, now;
        int64_t from, joules[2] = {0, 0};

        conf.mix = SIM_MIX_ALL;
        s = sim_new(&conf);
        from = sim_position(s, starts[i % 2] * 1000);
        for (int64_t p = from; sim_due_ms(s, p) < (starts[i % 2] + 3 * 86400) * 1000; p += 10) {
            assert_int_equal(sim_read(s, p, &now), 0);
            sim_meter(s, (uint32_t)(p % 10), &meter);
            assert_plausible(&now, sim_three_phase(meter.model));
            if (p == from) {
                first = last = now;
                continue;
            }
            assert_int_equal(now.counter, last.counter + 1);
            assert_int_equal(now.time, last.time + conf.interval_s);
            for (int f = FIELD_WIN; f <= FIELD_WOUT; f++) {
                int64_t rise = now.values[f] - first.values[f];

                assert_true(now.values[f] >= last.values[f]);
                joules[f] += (int64_t)now.values[FIELD_PIN + f] * conf.interval_s;
                assert_true(llabs(joules[f] - rise * 3600) <= 3600);
            }
            assert_true(now.values[FIELD_RIN] >= last.values[FIELD_RIN]);
            assert_true(now.values[FIELD_ROUT] >= last.values[FIELD_ROUT]);
            last = now;
        }
        assert_true(joules[0] > 3600 * 1000); /* more than a kWh in three days */
        sim_free(s);
    }
}

static void a_restart_goes_on_as_if_nothing_had_been(void **state)
{
    struct sim_conf conf = {.seed = 9, .meters = 5, .interval_s = 5, .mix = SIM_MIX_ALL};
    struct sim *a = sim_new(&conf);
    int64_t from = sim_position(a, JUNE * INT64_C(1000));

    (void)state;
    for (int64_t p = from; p < from + 2000; p += 99) {
        struct sim *b = sim_new(&conf);
        struct sim_reading one, other;

        assert_int_equal(sim_read(a, p, &one), 0);
        assert_int_equal(sim_read(b, p, &other), 0);
        assert_memory_equal(&one, &other, sizeof one);
        sim_free(b);
    }
    sim_free(a);
}

static void households_live_by_day_and_season(void **state)
{
    static const int64_t june = 1718928000, december = 1734739200; /* solstices of 2024, 00:00Z */
    int64_t night = 0, evening = 0, summer = 0, winter = 0, a_night = 0;

    (void)state;
    for (uint64_t number = 0; number < 12; number++) {
        struct sim_home *h = sim_home_new(77, number, true);
        struct sim_energy e[6];

        e[0] = sim_home_energy(h, december * 1000);
        for (int day = 0; day < 20; day++) {
            int64_t at = (december + day * 86400) * 1000;

            night += sim_home_energy(h, at + 4 * 3600000).in - sim_home_energy(h, at + 3600000).in;
            evening +=
                sim_home_energy(h, at + 20 * 3600000).in - sim_home_energy(h, at + 17 * 3600000).in;
        }
        e[1] = sim_home_energy(h, (december + 20 * 86400) * 1000);
        e[2] = sim_home_energy(h, june * 1000);
        e[3] = sim_home_energy(h, (june + 20 * 86400) * 1000);
        e[4] = sim_home_energy(h, (june + 21 * 3600) * 1000);
        e[5] = sim_home_energy(h, (june + 25 * 3600) * 1000);
        winter += e[1].out - e[0].out;
        summer += e[3].out - e[2].out;
        a_night += e[5].out - e[4].out;
        sim_home_free(h);
    }
    assert_true(evening > 2 * night);
    assert_true(summer > 4 * winter);
    assert_int_equal(a_night, 0);
}

static int compare_titles(const void *a, const void *b)
{
    return memcmp(a, b, SYSTEM_TITLE_OCTETS);
}

static void no_two_meters_are_alike(void **state)
{
    enum { METERS = 100000 };
    struct sim_conf conf = {.seed = 1, .meters = METERS, .interval_s = 5, .mix = SIM_MIX_ALL};
    struct sim *s = sim_new(&conf);
    uint8_t(*titles)[SYSTEM_TITLE_OCTETS] = calloc(METERS, sizeof *titles);
    struct sim_meter first, again, other;

    (void)state;
    assert_non_null(titles);
    for (uint32_t i = 0; i < METERS; i++) {
        sim_meter(s, i, &other);
        memcpy(titles[i], other.title, SYSTEM_TITLE_OCTETS);
        assert_memory_equal(other.title,
                            other.device[0] == 'K'   ? "KFM"
                            : other.number[1] == '8' ? "KFM"
                                                     : "SAG",
                            3);
    }
    qsort(titles, METERS, sizeof *titles, compare_titles);
    for (size_t i = 1; i < METERS; i++)
        assert_true(compare_titles(titles[i - 1], titles[i]) < 0);
    free(titles);

    sim_meter(s, 0, &first);
    sim_meter(s, 0, &again);
    sim_meter(s, 5, &other);
    assert_memory_equal(&first, &again, sizeof first);
    assert_memory_not_equal(first.key, other.key, KEY_OCTETS);
    assert_string_equal(first.name, "sim-0001");
    sim_free(s);

    conf.seed = 2;
    s = sim_new(&conf);
    sim_meter(s, 0, &again);
    assert_memory_not_equal(first.key, again.key, KEY_OCTETS);
    assert_memory_not_equal(first.title, again.title, SYSTEM_TITLE_OCTETS);
    sim_free(s);
}

static void assert_line(FILE *f, const char *wanted)
{
    char line[256];

    assert_non_null(fgets(line, sizeof line, f));
    assert_string_equal(line, wanted);
}

static void keys_go_into_a_file_that_only_its_owner_reads(void **state)
{
    struct sim_conf conf = {.seed = 1, .meters = 2, .interval_s = 5, .mix = SIM_MIX_ALL};
    struct sim *s;
    char folder[] = "/tmp/test_sim.XXXXXX";
    char path[64], wanted[256];

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/keys.csv", folder);
    for (int tag = 0; tag <= 1; tag++) { /* the second one replaces the first */
        FILE *f;
        struct stat st;

        conf.tag = tag == 1;
        s = sim_new(&conf);
        assert_int_equal(sim_keys_write(s, conf.meters, path), 0);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        f = fopen(path, "re");
        assert_non_null(f);
        assert_line(f, "system_title,key,authentication_key,name\n");
        for (uint32_t i = 0; i < conf.meters; i++) {
            struct sim_meter m;
            char *title, *key, *authentication_key;

            sim_meter(s, i, &m);
            title = hex_text(m.title, SYSTEM_TITLE_OCTETS);
            key = hex_text(m.key, KEY_OCTETS);
            authentication_key = hex_text(m.authentication_key, conf.tag ? KEY_OCTETS : 0);
            snprintf(wanted, sizeof wanted, "%s,%s,%s,%s\n", title, key, authentication_key,
                     m.name);
            assert_line(f, wanted);
            free(title);
            free(key);
            free(authentication_key);
        }
        assert_int_equal(fgetc(f), EOF);
        fclose(f);
        assert_int_equal(sim_keys_write(s, conf.meters, "/nonexistent/keys.csv"), -ENOENT);
        assert_int_equal(sim_keys_write(s, conf.meters, folder), -EISDIR);
        sim_free(s);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0); /* nothing else was left in it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_those_of_real_meters),
        cmocka_unit_test(every_model_decodes_to_what_went_in),
        cmocka_unit_test(sizes_of_frames),
        cmocka_unit_test(times_as_people_write_them),
        cmocka_unit_test(summer_time_begins_and_ends),
        cmocka_unit_test(positions_follow_time),
        cmocka_unit_test(energy_is_the_integral_of_power),
        cmocka_unit_test(a_restart_goes_on_as_if_nothing_had_been),
        cmocka_unit_test(households_live_by_day_and_season),
        cmocka_unit_test(no_two_meters_are_alike),
        cmocka_unit_test(keys_go_into_a_file_that_only_its_owner_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
