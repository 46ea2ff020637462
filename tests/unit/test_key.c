/* AES keys as people have them (quirk Q24). */
#include "tools.h"

#include <stdio.h>

#include "key.h"

#define KEY "36C66639E48A8CA4D6BC8B282A793BBB" /* of the operator's printed example */

static const uint8_t example[KEY_OCTETS] = {0x36, 0xC6, 0x66, 0x39, 0xE4, 0x8A, 0x8C, 0xA4,
                                            0xD6, 0xBC, 0x8B, 0x28, 0x2A, 0x79, 0x3B, 0xBB};

static void spellings_of_one_key(void **state)
{
    static const struct row {
        const char *why, *text;
    } rows[] = {
        {"as the operator prints it", KEY},
        {"lower case", "36c66639e48a8ca4d6bc8b282a793bbb"},
        {"mixed", "36C66639E48A8CA4d6bc8b282a793bbb"},
        {"blanks", "36 C6 66 39 E4 8A 8C A4 D6 BC 8B 28 2A 79 3B BB"},
        {"blanks around", "  " KEY "  "},
        {"line feed of a secret file", KEY "\n"},
        {"line feed of Windows", KEY "\r\n"},
        {"tabs", "\t36C66639\tE48A8CA4\tD6BC8B28\t2A793BBB"},
        {"colons", "36:C6:66:39:E4:8A:8C:A4:D6:BC:8B:28:2A:79:3B:BB"},
        {"dashes", "36C66639-E48A-8CA4-D6BC-8B282A793BBB"},
        {"commas", "36,C6,66,39,E4,8A,8C,A4,D6,BC,8B,28,2A,79,3B,BB"},
        {"one 0x in front", "0x" KEY},
        {"0X", "0X" KEY},
        {"a C list", "{0x36, 0xC6, 0x66, 0x39, 0xE4, 0x8A, 0x8C, 0xA4, "
                     "0xD6, 0xBC, 0x8B, 0x28, 0x2A, 0x79, 0x3B, 0xBB};"},
        {"0x without anything between",
         "0x360xC60x660x390xE40x8A0x8C0xA40xD60xBC0x8B0x280x2A0x790x3B0xBB"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t key[KEY_OCTETS] = {0};
        const char *wrong = key_parse(rows[i].text, key);

        if (wrong != NULL)
            fail_msg("%s: %s", rows[i].why, wrong);
        assert_memory_equal(key, example, KEY_OCTETS);
    }
}

static void a_key_may_be_printable_text_in_hex(void **state)
{
    uint8_t key[KEY_OCTETS];

    (void)state;
    assert_null(key_parse("30313233343536373839414243444546", key));
    assert_memory_equal(key, "0123456789ABCDEF", KEY_OCTETS);
}

/* No piece of four characters of the text stands in the message. */
static void assert_not_repeated(const char *message, const char *text)
{
    for (size_t i = 0; i + 4 <= strlen(text); i++) {
        char piece[5] = {text[i], text[i + 1], text[i + 2], text[i + 3], '\0'};

        if (strstr(message, piece) != NULL)
            fail_msg("\"%s\" repeats \"%s\"", message, piece);
    }
}

static void what_is_no_key(void **state)
{
    static const char hint[] = "16 characters";
    static const struct row {
        const char *why, *text, *says;
    } rows[] = {
        {"nothing", "", "32 hex digits"},
        {"blanks alone", " \t\n", "32 hex digits"},
        {"prefix alone", "0x", "32 hex digits"},
        {"31 digits", "36C66639E48A8CA4D6BC8B282A793BB", "32 hex digits"},
        {"33 digits", KEY "0", "more than 32"},
        {"34 digits", KEY "00", "more than 32"},
        {"two keys", KEY KEY, "more than 32"},
        {"16 characters of ASCII", "Vorarlberg-Key-1", hint},
        {"16 characters that are hex digits", "0123456789ABCDEF", hint},
        {"16 characters that are separators too", "{a:b;c-d,e f}-:;", hint},
        {"16 octets beyond ASCII",
         "\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9F\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9F", hint},
        {"15 characters", "Vorarlberg-Key-", "32 hex digits"},
        {"no digit among 32", "36C66639E48A8CA4D6BC8B282A793BBG", "32 hex digits"},
        {"O for 0", "36C66639E48A8CA4D6BC8B282A793BBO", "32 hex digits"},
        {"quotes", "\"" KEY "\"", "32 hex digits"},
        {"half an octet before 0x", "360x6" KEY, "more than 32"},
        {"0x within an octet", "30x6C66639E48A8CA4D6BC8B282A793BBB", "32 hex digits"},
        {"x within an octet", "3x6C66639E48A8CA4D6BC8B282A793BB", "32 hex digits"},
        {"base64", "NsZmOeSKjKTWvIsoKnk7uw==", "32 hex digits"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t key[KEY_OCTETS], before[KEY_OCTETS];
        const char *wrong;

        memset(before, 0xA5, sizeof before);
        memcpy(key, before, sizeof key);
        wrong = key_parse(rows[i].text, key);
        if (wrong == NULL)
            fail_msg("%s: taken", rows[i].why);
        if (strstr(wrong, rows[i].says) == NULL)
            fail_msg("%s: %s", rows[i].why, wrong);
        assert_memory_equal(key, before, sizeof key);
        assert_not_repeated(wrong, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_of_one_key),
        cmocka_unit_test(a_key_may_be_printable_text_in_hex),
        cmocka_unit_test(what_is_no_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
