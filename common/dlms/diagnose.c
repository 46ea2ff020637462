#include "diagnose.h"

#include <string.h>

#include "apdu.h"
#include "mbus.h"

enum { SEVEN_BITS_MIN = 32, ODD_MIN = 24 };
enum { C = 4, A = 5, CI = 6, DTSAP = 8 }; /* 68 L L 68 C A CI STSAP DTSAP ... CS 16 */
enum { HEAD = 4, TAIL = 2 };

static bool never_bit_7(const uint8_t *octets, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (octets[i] >= 0x80)
            return false;
    return len >= SEVEN_BITS_MIN;
}

static bool all_odd(const uint8_t *octets, size_t len)
{
    size_t odd = 0;

    for (size_t i = 0; i < len; i++) {
        if (octets[i] != 0 && !__builtin_parity(octets[i]))
            return false;
        odd += octets[i] != 0;
    }
    return odd >= ODD_MIN;
}

/* Meters send A = FF, and the other four below 80. */
static bool differs_in_bit_7(const uint8_t *octets, size_t len)
{
    unsigned wrong = octets[A] == 0x7F;
    uint8_t sum = 0;

    for (size_t i = HEAD; i < len - TAIL; i++)
        sum = (uint8_t)(sum + octets[i]);
    for (int i = C; i <= DTSAP; i++)
        wrong += i != A && octets[i] >= 0x80;
    return wrong >= 2 && ((sum ^ octets[len - TAIL]) & 0x7F) == 0 &&
           mbus_control_fits(octets[C] & 0x7F, octets[CI] & 0x7F);
}

const char *diagnose_parity(const uint8_t *octets, size_t len, bool frame)
{
    if (never_bit_7(octets, len))
        return "bit 7 is never set: the receiver takes 7 data bits";
    if (all_odd(octets, len))
        return "only octets of one parity arrive";
    if (frame && len >= MBUS_OVERHEAD && differs_in_bit_7(octets, len))
        return "bit 7 is noise";
    return NULL;
}

/* Lines of a P1 telegram, or a piece of one: all text, with its start or a line's OBIS code. */
static bool is_p1_text(const uint8_t *octets, size_t len)
{
    static const uint8_t code[] = {'-', '0', ':'};
    const uint8_t *slash = memchr(octets, '/', len);

    for (size_t i = 0; i < len; i++)
        if ((octets[i] < ' ' && octets[i] != '\r' && octets[i] != '\n' && octets[i] != 0) ||
            octets[i] > '~')
            return false;
    if (memmem(octets, len, code, sizeof code) != NULL && memchr(octets, '(', len) != NULL)
        return true;
    return slash != NULL && (size_t)(octets + len - slash) >= 5 && slash[4] >= '0' &&
           slash[4] <= '9' && slash[1] >= 'A' && slash[1] <= 'Z' && slash[2] >= 'A' &&
           slash[2] <= 'Z';
}

/* DB | 08 title, its first three letters | 82 .. .. | 30 */
static bool is_p1_ciphered(const uint8_t *octets, size_t len)
{
    static const uint8_t head[] = {APDU_GENERAL_GLO_CIPHERING, SYSTEM_TITLE_OCTETS};
    const uint8_t *p = memmem(octets, len, head, sizeof head);

    if (p == NULL || octets + len - p < 14)
        return false;
    for (int i = 2; i < 5; i++)
        if (p[i] < 'A' || p[i] > 'Z')
            return false;
    return p[10] == 0x82 && p[13] == (SC_ENCRYPTED | SC_AUTHENTICATED);
}

/* 7E | A., length | ... | 7E, or its beginning: flags, format and length agree (ISO/IEC 13239). */
static bool is_hdlc(const uint8_t *octets, size_t len)
{
    for (size_t at = 0; at + 9 <= len; at++) {
        size_t size = (size_t)(octets[at + 1] & 0x07) << 8 | octets[at + 2];

        if (octets[at] == 0x7E && (octets[at + 1] & 0xF0) == 0xA0 && size >= 7 &&
            (at + size + 1 < len ? octets[at + size + 1] == 0x7E : at == 0))
            return true;
    }
    return false;
}

const char *diagnose_interface(const uint8_t *octets, size_t len)
{
    if (len == 0)
        return NULL;
    if (is_p1_text(octets, len))
        return "a DSMR P1 telegram: this meter has another interface (T210-D-r)";
    if (is_hdlc(octets, len))
        return "HDLC frames (7E ... 7E), not M-Bus";
    if (is_p1_ciphered(octets, len))
        return "ciphered DSMR P1 (T210-D-r), without M-Bus frames and cut or several at once";
    return NULL;
}
