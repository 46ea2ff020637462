/* assets: the page's files, which are part of the program. */
#ifndef ASSETS_H
#define ASSETS_H

#include <stddef.h>

#include "answer.h"

/** A file of services/dashboard/page/ or build/page/. */
struct asset {
    const char *name, *type, *etag; /* etag with its quotes */
    const uint8_t *plain, *plain_end;
    const uint8_t *gzip, *gzip_end;
};

/** All of them, sorted by name; ends with a NULL name. */
extern const struct asset assets[];

/** The file of this name, or NULL. */
const struct asset *asset_find(const char *name);

/** 200 with the file, compressed when that is accepted; 304; 404 for NULL. */
void asset_answer(const struct asset *file, const struct request *r, struct answer *a);

#endif
