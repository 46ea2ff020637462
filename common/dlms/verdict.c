#include "verdict.h"

#include <string.h>

static const struct {
    const char *name, *advice;
} verdicts[VERDICT_COUNT] = {
    [VERDICT_OK] = {"ok", "decoded"},
    [VERDICT_CHECKSUM] = {"checksum",
                          "a frame arrived whole but with changed bits: check wiring and parity "
                          "(8E1 or 8N1)"},
    [VERDICT_TRUNCATED] = {"truncated",
                           "the end of the telegram never came: the sender stopped reading too "
                           "early"},
    [VERDICT_LOST_OCTETS] = {"lost-octets",
                             "octets are missing inside the telegram: the receiver's serial buffer "
                             "overflowed, or its adapter is unfit"},
    [VERDICT_SEQUENCE] = {"sequence",
                          "fragments do not belong together: one was lost between sender and "
                          "broker"},
    [VERDICT_NO_KEY] = {"no-key", "no key is configured for this meter"},
    [VERDICT_WRONG_KEY] = {"wrong-key", "the frame is sound but this key does not fit this meter"},
    [VERDICT_TAG] = {"tag",
                     "the key fits but the authentication tag does not: wrong authentication key, "
                     "or a forged telegram"},
    [VERDICT_UNKNOWN_LAYOUT] = {"unknown-layout",
                                "decrypted, but its contents are not of a known form"},
    [VERDICT_NOT_A_FRAME] = {"not-a-frame", "nothing here begins like a meter's frame"},
    [VERDICT_IMPLAUSIBLE] = {"implausible",
                             "decoded, but no meter can have measured this: damaged or forged"},
    [VERDICT_POISON] = {"poison",
                        "every attempt to process it failed: it ends the program that tries"},
    [VERDICT_REFUSED] = {"refused", "the database refuses this row"},
    [VERDICT_PARITY] = {"parity",
                        "octets arrive as a wrong parity damages them: try 8E1 in place of 8N1 at "
                        "the receiver, or the other way round"},
    [VERDICT_OTHER_INTERFACE] = {"other-interface",
                                 "a meter sent this, on an interface that is not read here"},
};

const char *verdict_name(enum verdict v)
{
    return (unsigned)v < VERDICT_COUNT ? verdicts[v].name : "?";
}

const char *verdict_advice(enum verdict v)
{
    return (unsigned)v < VERDICT_COUNT ? verdicts[v].advice : "?";
}

int verdict_from_name(const char *name)
{
    for (int v = 0; v < VERDICT_COUNT; v++)
        if (strcmp(verdicts[v].name, name) == 0)
            return v;
    return -1;
}
