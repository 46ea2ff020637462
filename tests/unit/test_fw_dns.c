/* The set-up network's name server. */
#include "tools.h"

#include "fw_dns.h"

static const uint8_t address[4] = {192, 168, 4, 1};

static const struct row {
    const char *why, *query, *answer; /* "": none */
} rows[] = {
    {"an A record", "1234 0100 0001 0000 0000 0000 0161 026174 00 0001 0001",
     "1234 8180 0001 0001 0000 0000 0161 026174 00 0001 0001 C00C 0001 0001 0000003C 0004 "
     "C0A80401"},
    {"with more behind the question (EDNS)",
     "1234 0100 0001 0000 0000 0001 0161 00 0001 0001 00 0029 1000 00000000 0000",
     "1234 8180 0001 0001 0000 0000 0161 00 0001 0001 C00C 0001 0001 0000003C 0004 C0A80401"},
    {"an AAAA record", "1234 0100 0001 0000 0000 0000 0161 00 001C 0001",
     "1234 8180 0001 0000 0000 0000 0161 00 001C 0001"},
    {"the root", "1234 0000 0001 0000 0000 0000 00 0001 0001",
     "1234 8080 0001 0001 0000 0000 00 0001 0001 C00C 0001 0001 0000003C 0004 C0A80401"},
    {"an answer", "1234 8180 0001 0000 0000 0000 00 0001 0001", ""},
    {"another opcode", "1234 2800 0001 0000 0000 0000 00 0001 0001", ""},
    {"two questions", "1234 0100 0002 0000 0000 0000 00 0001 0001 00 0001 0001", ""},
    {"none", "1234 0100 0000 0000 0000 0000", ""},
    {"a name that does not end", "1234 0100 0001 0000 0000 0000 0561 61", ""},
    {"a pointer", "1234 0100 0001 0000 0000 0000 C00C 0001 0001", ""},
    {"no type", "1234 0100 0001 0000 0000 0000 00 0001", ""},
};

static void each_query(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct octets query = octets_from_hex(rows[i].query);
        struct octets want = octets_from_hex(rows[i].answer);
        uint8_t out[FW_DNS_MAX];
        size_t len = fw_dns_answer(query.at, query.len, address, out, sizeof out);

        if (len != want.len || memcmp(out, want.at, want.len) != 0)
            fail_msg("%s", rows[i].why);
        for (size_t room = 0; room < len; room++) { /* no room: nothing is written behind it */
            struct octets small = octets_copy(out, room);

            assert_int_equal(fw_dns_answer(query.at, query.len, address, small.at, room), 0);
            free(small.at);
        }
        for (size_t cut = 0; cut < query.len; cut++) {
            struct octets small = octets_copy(query.at, cut);

            (void)fw_dns_answer(small.at, cut, address, out, sizeof out);
            free(small.at);
        }
        free(query.at);
        free(want.at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_query),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
