/* Fields of a submitted form. */
#include "tools.h"

#include <stdio.h>

#include "fw_form.h"

static const struct row {
    const char *body, *name;
    int len;
    const char *text;
} rows[] = {
    {"a=1&b=2", "a", 1, "1"},
    {"a=1&b=2", "b", 1, "2"},
    {"a=1&b=2", "c", FW_FORM_ABSENT, ""},
    {"aa=1", "a", FW_FORM_ABSENT, ""},
    {"a", "a", FW_FORM_ABSENT, ""},
    {"", "a", FW_FORM_ABSENT, ""},
    {"&&a=1&&", "a", 1, "1"},
    {"a=", "a", 0, ""},
    {"a=&a=2", "a", 0, ""},
    {"a=b=c", "a", 3, "b=c"},
    {"a=x+y%20z%2B", "a", 6, "x y z+"},
    {"a=%C3%A4%c3%a4", "a", 4, "\xC3\xA4\xC3\xA4"},
    {"a=%0D%0A", "a", 2, "\r\n"},
    {"a=%", "a", FW_FORM_WRONG, ""},
    {"a=%2", "a", FW_FORM_WRONG, ""},
    {"a=%2&b=1", "a", FW_FORM_WRONG, ""},
    {"a=%G0", "a", FW_FORM_WRONG, ""},
    {"a=x%00y", "a", FW_FORM_WRONG, ""},
    {"a=1234567", "a", 7, "1234567"},
    {"a=12345678", "a", FW_FORM_WRONG, ""},
};

static void each_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets body = octets_copy((const uint8_t *)rows[i].body, strlen(rows[i].body));
        char out[8];
        int len = fw_form_get((const char *)body.at, body.len, rows[i].name, out, sizeof out);

        if (len != rows[i].len || strcmp(out, rows[i].text) != 0)
            fail_msg("%s of %s: %d, %s", rows[i].name, rows[i].body, len, out);
        free(body.at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
