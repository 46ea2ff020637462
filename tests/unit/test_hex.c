/* Hexadecimal text, and the cursor that every parser reads with. */
#include "tools.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "cursor.h"

static void every_character_is_a_digit_or_not(void **state)
{
    (void)state;
    for (int c = -1; c < 256; c++) {
        bool is_digit = c >= 0 && c < 128 && isxdigit(c);
        char text[2] = {(char)c, '\0'};

        assert_int_equal(hex_digit(c), is_digit ? (int)strtol(text, NULL, 16) : -1);
    }
}

static void every_octet_survives(void **state)
{
    uint8_t octets[256], back[256];
    char text[2 * 256 + 1];

    (void)state;
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (uint8_t)i;
    hex_encode(octets, sizeof octets, text);
    assert_memory_equal(text, "000102030405060708090A0B0C0D0E0F10", 34);
    assert_int_equal(strlen(text), 512);
    assert_int_equal(hex_decode(text, back, sizeof back), 0);
    assert_memory_equal(back, octets, sizeof octets);
}

static void decode_wants_exactly_its_digits(void **state)
{
    static const struct row {
        const char *why, *text;
        size_t len;
        int rc;
        const char *octets;
    } rows[] = {
        {"upper case", "DB0F", 2, 0, "DB0F"},
        {"lower case", "db0f", 2, 0, "DB0F"},
        {"mixed", "dB0F", 2, 0, "DB0F"},
        {"nothing", "", 0, 0, ""},
        {"one digit short", "DB0", 2, -EINVAL, NULL},
        {"one octet short", "DB", 2, -EINVAL, NULL},
        {"one octet long", "DB0F00", 2, -EINVAL, NULL},
        {"text where none is wanted", "DB", 0, -EINVAL, NULL},
        {"blank inside", "DB 0", 2, -EINVAL, NULL},
        {"first digit bad", "xB0F", 2, -EINVAL, NULL},
        {"last digit bad", "DB0G", 2, -EINVAL, NULL},
        {"a sign is none", "+1-1", 2, -EINVAL, NULL},
        {"0x is none", "0xDB", 2, -EINVAL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t octets[4];
        char text[9];
        int rc = hex_decode(rows[i].text, octets, rows[i].len);

        if (rc != rows[i].rc)
            fail_msg("%s: %d", rows[i].why, rc);
        if (rc != 0)
            continue;
        hex_encode(octets, rows[i].len, text);
        assert_string_equal(text, rows[i].octets);
    }
}

static void lengths(void **state)
{
    static const struct row {
        const char *why, *octets;
        size_t value, left;
        int err;
    } rows[] = {
        {"zero", "00", 0, 0, 0},
        {"Salzburg", "4D FF", 0x4D, 1, 0},
        {"the last of one octet", "7F", 127, 0, 0},
        {"Netz NOE", "81F8 20", 248, 1, 0},
        {"not the shortest form, as some meters write", "8105", 5, 0, 0},
        {"west Austria", "820155", 341, 0, 0},
        {"three octets", "83010000", 65536, 0, 0},
        {"four octets", "84FFFFFFFF", 0xFFFFFFFF, 0, 0},
        {"indefinite", "80 00", 0, 1, -EPROTO},
        {"five octets", "85 0000000001", 0, 5, -EPROTO},
        {"reserved", "FF 00", 0, 1, -EPROTO},
        {"nothing", "", 0, 0, -EPROTO},
        {"breaks off", "81", 0, 0, -EPROTO},
        {"breaks off within", "8201", 0, 1, -EPROTO},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets o = octets_from_hex(rows[i].octets);
        struct cursor c = cursor_make(o.at, o.len);
        size_t value = cursor_length(&c);

        if (value != rows[i].value || c.err != rows[i].err || cursor_left(&c) != rows[i].left)
            fail_msg("%s: %zu, %d, %zu left", rows[i].why, value, c.err, cursor_left(&c));
        free(o.at);
    }
}

static void numbers_are_big_endian(void **state)
{
    static const uint64_t wants[] = {0,
                                     0x81,
                                     0x8142,
                                     0x814203,
                                     0x81420384,
                                     0x8142038405,
                                     0x814203840506,
                                     0x81420384050687,
                                     0x8142038405068708};
    struct octets o = octets_from_hex("8142038405068708");

    (void)state;
    for (size_t n = 0; n < COUNT(wants); n++) {
        struct cursor c = cursor_make(o.at, o.len);

        assert_true(cursor_be(&c, n) == wants[n]);
        assert_int_equal(c.err, 0);
        assert_int_equal(cursor_left(&c), o.len - n);
    }
    free(o.at);
}

static void the_first_error_sticks(void **state)
{
    struct octets o = octets_from_hex("010203");
    struct cursor c = cursor_make(o.at, o.len);

    (void)state;
    assert_int_equal(cursor_u8(&c), 1);
    assert_null(cursor_take(&c, 3));
    assert_int_equal(c.err, -EPROTO);
    assert_int_equal(cursor_left(&c), 2); /* nothing was taken */
    assert_null(cursor_take(&c, 0));
    assert_int_equal(cursor_u8(&c), 0);
    assert_int_equal(cursor_be(&c, 1), 0);
    assert_int_equal(cursor_length(&c), 0);
    assert_int_equal(c.err, -EPROTO);
    free(o.at);
}

static void a_size_beyond_all_memory_is_refused(void **state)
{
    struct octets o = octets_from_hex("010203");
    struct cursor c = cursor_make(o.at, o.len);

    (void)state;
    assert_null(cursor_take(&c, SIZE_MAX));
    assert_int_equal(c.err, -EPROTO);
    c = cursor_make(o.at, o.len);
    assert_ptr_equal(cursor_take(&c, 3), o.at);
    assert_int_equal(cursor_left(&c), 0);
    assert_non_null(cursor_take(&c, 0)); /* nothing at the end is no error */
    assert_int_equal(c.err, 0);
    free(o.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_is_a_digit_or_not),
        cmocka_unit_test(every_octet_survives),
        cmocka_unit_test(decode_wants_exactly_its_digits),
        cmocka_unit_test(lengths),
        cmocka_unit_test(numbers_are_big_endian),
        cmocka_unit_test(the_first_error_sticks),
        cmocka_unit_test(a_size_beyond_all_memory_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
