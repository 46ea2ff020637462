#include "fw_dns.h"

#include <string.h>

enum {
    HEAD = 12,
    LABEL_MAX = 63,
    QUESTION_TAIL = 4, /* type and class */
    RESPONSE = 0x80,
    OPCODE = 0x78,
    RECURSION_AVAILABLE = 0x80,
};

/* The place behind the question's name, or 0: it does not end. */
static size_t skip_name(const uint8_t *query, size_t len)
{
    size_t at = HEAD;

    while (at < len && query[at] != 0) {
        if (query[at] > LABEL_MAX) /* a pointer has nothing to point at here */
            return 0;
        at += 1U + query[at];
    }
    return at < len ? at + 1 : 0;
}

size_t
fw_dns_answer(const uint8_t *query, size_t len, const uint8_t address[4], uint8_t *out, size_t room)
{
    /* the name at offset 12, type A, class IN, 60 s, 4 octets */
    static const uint8_t record[] = {0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4};
    static const uint8_t wanted[QUESTION_TAIL] = {0, 1, 0, 1};
    size_t end = len < HEAD ? 0 : skip_name(query, len);
    uint8_t answers;

    if (end == 0 || len - end < QUESTION_TAIL || (query[2] & (RESPONSE | OPCODE)) != 0 ||
        query[4] != 0 || query[5] != 1)
        return 0;
    answers = memcmp(query + end, wanted, sizeof wanted) == 0;
    end += QUESTION_TAIL;
    if (room < end + sizeof record + 4)
        return 0;
    memcpy(out, query, end);
    out[2] |= RESPONSE;
    out[3] = RECURSION_AVAILABLE;
    memset(out + 4, 0, 8); /* counts: one question, one or no answer, nothing else */
    out[5] = 1;
    out[7] = answers;
    if (answers == 0)
        return end;
    memcpy(out + end, record, sizeof record);
    memcpy(out + end + sizeof record, address, 4);
    return end + sizeof record + 4;
}
