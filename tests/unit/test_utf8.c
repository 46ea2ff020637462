/* Text from outside: valid UTF-8 comes out whatever went in, and fits. */
#include "tools.h"

#include <jansson.h>
#include <time.h>

#include "utf8.h"

static void copies(void **state)
{
    static const struct row {
        const char *why, *in;
        size_t size;
        const char *out;
    } rows[] = {
        {"ASCII", "sensors/smartmeter", 64, "sensors/smartmeter"},
        {"empty", "", 64, ""},
        {"room for the NUL alone", "abc", 1, ""},
        {"cut", "abc", 3, "ab"},
        {"just fits", "abc", 4, "abc"},
        {"controls", "a\x01\n\x7F\xC2\x80", 64, "a?????"},
        {"two octets", "z\xC3\xA4hler", 64, "z\xC3\xA4hler"},
        {"first and last of two", "\xC2\xA0\xDF\xBF", 64, "\xC2\xA0\xDF\xBF"},
        {"three octets", "\xE0\xA0\x80\xE2\x82\xAC\xEF\xBF\xBF", 64,
         "\xE0\xA0\x80\xE2\x82\xAC\xEF\xBF\xBF"},
        {"four octets", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 64, "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"},
        {"around the surrogates", "\xED\x9F\xBF\xEE\x80\x80", 64, "\xED\x9F\xBF\xEE\x80\x80"},
        {"two octets do not fit", "a\xC3\xA4", 3, "a"},
        {"two octets just fit", "a\xC3\xA4", 4, "a\xC3\xA4"},
        {"four octets do not fit",
         "a\xF0\x9F\x94\x8C"
         "b",
         5, "a"},
        {"Latin-1", "z\xE4hler", 64, "z?hler"},
        {"Latin-1 at the end", "\xC3", 64, "?"},
        {"continuation alone", "\x80\xBF", 64, "??"},
        {"breaks off after two of three", "\xE2\x82", 64, "??"},
        {"breaks off before ASCII",
         "\xE2\x82"
         "a",
         64, "??a"},
        {"breaks off before another", "\xF0\x9F\x94\xC3\xA4", 64, "???\xC3\xA4"},
        {"overlong NUL", "\xC0\x80", 64, "??"},
        {"overlong slash", "\xC1\xAF", 64, "??"},
        {"overlong in three", "\xE0\x9F\xBF", 64, "???"},
        {"overlong in four", "\xF0\x8F\xBF\xBF", 64, "????"},
        {"a surrogate", "\xED\xA0\x80", 64, "???"},
        {"the last surrogate", "\xED\xBF\xBF", 64, "???"},
        {"beyond U+10FFFF", "\xF4\x90\x80\x80", 64, "????"},
        {"lead octets that never are", "\xF5\xF8\xFC\xFE\xFF", 64, "?????"},
        {"a bad octet does not fit", "ab\xFF", 3, "ab"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets in = octets_copy((const uint8_t *)rows[i].in, strlen(rows[i].in) + 1);
        char *out = malloc(rows[i].size);

        utf8_copy(out, rows[i].size, (const char *)in.at);
        if (strcmp(out, rows[i].out) != 0)
            fail_msg("%s: \"%s\"", rows[i].why, out);
        free(out);
        free(in.at);
    }
}

static void what_is_text(void **state)
{
    static const struct row {
        const char *why, *octets; /* hex */
        bool text;
    } rows[] = {
        {"empty", "", true},
        {"letters", "61 62 20 7E", true},
        {"white space", "09 0A 0B 0C 0D", true},
        {"NUL", "61 00", false},
        {"bell", "07", false},
        {"escape", "1B 5B", false},
        {"the last control", "1F", false},
        {"DEL", "7F", false},
        {"two, three and four octets", "C3A4 E282AC F09F948C", true},
        {"breaks off", "61 C3", false},
        {"breaks off in three", "E282", false},
        {"overlong", "C0AF", false},
        {"a surrogate", "EDA080", false},
        {"beyond U+10FFFF", "F4908080", false},
        {"Latin-1", "7A E4 68", false},
        {"a frame", "68FAFA6853FF0001", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets o = octets_from_hex(rows[i].octets);

        if (utf8_is_text(o.at, o.len) != rows[i].text)
            fail_msg("%s", rows[i].why);
        free(o.at);
    }
}

/* jansson is the judge: it takes no string that is not UTF-8. */
static void noise_becomes_valid(void **state)
{
    unsigned seed = (unsigned)time(NULL);

    (void)state;
    print_message("seed %u\n", seed);
    srandom(seed);
    for (int turn = 0; turn < 50000; turn++) {
        char in[17] = "", out[17];
        size_t len = (size_t)random() % sizeof in, size = 1 + (size_t)random() % sizeof out;
        json_t *json;

        for (size_t i = 0; i < len; i++)
            in[i] = (char)(random() % 4 == 0 ? 0x80 | random() : 0xC0 | random());
        in[len] = '\0';
        utf8_copy(out, size, in);
        assert_true(strlen(out) < size);
        assert_true(utf8_is_text((const uint8_t *)out, strlen(out)));
        json = json_string(out);
        if (json == NULL)
            fail_msg("turn %d", turn);
        json_decref(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies),
        cmocka_unit_test(what_is_text),
        cmocka_unit_test(noise_becomes_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
