/* fw_form: fields of a submitted HTML form (application/x-www-form-urlencoded). */
#ifndef FW_FORM_H
#define FW_FORM_H

#include <stddef.h>

#define FW_FORM_ABSENT (-1)
#define FW_FORM_WRONG  (-2)

/**
 * Decode the first field of this name into out, with a NUL behind it.
 * Returns its length; FW_FORM_ABSENT; FW_FORM_WRONG when it has no room there, or holds a NUL or a
 * broken escape: out is "" then.
 */
int fw_form_get(const char *body, size_t len, const char *name, char *out, size_t room);

#endif
