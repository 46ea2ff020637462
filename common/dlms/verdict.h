/* verdict: why octets from a meter did or did not become a reading. */
#ifndef VERDICT_H
#define VERDICT_H

/**
 * The typed outcome that every service, log line, counter and reject shares. The names
 * (verdict_name) are part of the contract in proto/README.md.
 */
enum verdict {
    VERDICT_OK,
    VERDICT_CHECKSUM,        /* a link frame is whole, but its sum does not hold: noise */
    VERDICT_TRUNCATED,       /* the rest of the telegram never came */
    VERDICT_LOST_OCTETS,     /* octets are missing (or too many) inside a frame or an APDU */
    VERDICT_SEQUENCE,        /* fragments do not follow one another */
    VERDICT_NO_KEY,          /* no key is configured for this meter */
    VERDICT_WRONG_KEY,       /* the frames are sound, yet decryption gives noise */
    VERDICT_TAG,             /* plausible plaintext, but the authentication tag does not hold */
    VERDICT_UNKNOWN_LAYOUT,  /* sound, but nothing here that this program knows how to read */
    VERDICT_NOT_A_FRAME,     /* nothing that begins like a frame */
    VERDICT_IMPLAUSIBLE,     /* decoded, but impossible */
    VERDICT_POISON,          /* never acknowledged, though others were */
    VERDICT_REFUSED,         /* the database refuses the row for its data */
    VERDICT_PARITY,          /* frames are damaged as a wrong parity damages them */
    VERDICT_OTHER_INTERFACE, /* a meter's octets, of an interface that this program does not read */
    VERDICT_COUNT
};

/** "checksum", "lost-octets" ...; "ok" for VERDICT_OK. Never NULL. */
const char *verdict_name(enum verdict v);

/** The verdict of a name, or -1. */
int verdict_from_name(const char *name);

/** One plain sentence that a meter's owner can act on. Never NULL. */
const char *verdict_advice(enum verdict v);

#endif
