/* disguise_plain: the plaintext of a telegram, disguised. */
#ifndef DISGUISE_PLAIN_H
#define DISGUISE_PLAIN_H

#include "scramble.h"

struct disguise_plain {
    struct scramble *names;
    const uint8_t *meter; /* SYSTEM_TITLE_OCTETS, or NULL: whose numbers they are */
    uint32_t invoke_shift;
    int shift_days;
};

/**
 * Disguise a data-notification in place; see disguise.h. Returns 0; -EPROTO when not every octet of
 * it is understood; -ENOTSUP for a compact array; -EIO, -ENOMEM.
 */
int disguise_plain(const struct disguise_plain *d, uint8_t *octets, size_t len)
    __attribute__((warn_unused_result));

/** Move the date of 12 octets that are a date-time by whole days; its weekday, too. */
void disguise_date(uint8_t *octets, int days);

#endif
