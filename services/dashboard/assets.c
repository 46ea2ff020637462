#include "assets.h"

#include <string.h>

/* The Makefile makes both: what .incbin has put in, and the table of it. */
#define ASSET(n, name, type, etag)                                                                 \
    extern const uint8_t asset_##n[], asset_##n##_end[], asset_##n##_gz[], asset_##n##_gz_end[];
#include "assets.inc"
#undef ASSET

const struct asset assets[] = {
#define ASSET(n, name, type, etag)                                                                 \
    {name, type, etag, asset_##n, asset_##n##_end, asset_##n##_gz, asset_##n##_gz_end},
#include "assets.inc"
#undef ASSET
    {NULL, NULL, NULL, NULL, NULL, NULL, NULL},
};

const struct asset *asset_find(const char *name)
{
    for (const struct asset *a = assets; a->name != NULL; a++)
        if (strcmp(a->name, name) == 0)
            return a;
    return NULL;
}

/* "gzip" among the codings, and not with ";q=0". */
static bool takes_gzip(const char *header)
{
    const char *at = header == NULL ? NULL : strstr(header, "gzip");

    if (at == NULL)
        return false;
    at += strlen("gzip");
    at += strspn(at, " ");
    return strncmp(at, ";q=0", 4) != 0 ||
           (at[4] == '.' && strspn(at + 5, "0") < strcspn(at + 5, ","));
}

void asset_answer(const struct asset *file, const struct request *r, struct answer *a)
{
    if (file == NULL) {
        answer_error(a, 404, "not-found", "There is nothing here.");
        return;
    }
    a->etag = file->etag;
    if (r->none_match != NULL && strstr(r->none_match, file->etag) != NULL) {
        a->status = 304;
        return;
    }
    a->status = 200;
    a->type = file->type;
    a->gzip = takes_gzip(r->encoding);
    a->fixed = a->gzip ? file->gzip : file->plain;
    a->fixed_len = (size_t)((a->gzip ? file->gzip_end : file->plain_end) - a->fixed);
}
