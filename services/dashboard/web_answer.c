#include "web_answer.h"

#include <stdio.h>

static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' "
    "data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

static void add(struct MHD_Response *response, const char *name, const char *value)
{
    MHD_add_response_header(response, name, value);
}

void web_answer_headers(struct MHD_Response *response, const struct answer *a)
{
    char text[160];

    add(response, "Content-Security-Policy", policy);
    add(response, "X-Content-Type-Options", "nosniff");
    add(response, "Referrer-Policy", "no-referrer");
    add(response, "Cross-Origin-Resource-Policy", "same-origin");
    add(response, "Cross-Origin-Opener-Policy", "same-origin");
    add(response, "Cache-Control", a->etag == NULL ? "no-store" : "no-cache");
    if (a->type != NULL)
        add(response, "Content-Type", a->type);
    if (a->etag != NULL) {
        add(response, "ETag", a->etag);
        add(response, "Vary", "Accept-Encoding, Cookie");
    }
    if (a->gzip)
        add(response, "Content-Encoding", "gzip");
    if (a->allow != NULL)
        add(response, "Allow", a->allow);
    if (a->cookie[0] != '\0')
        add(response, "Set-Cookie", a->cookie);
    if (a->file != NULL) {
        snprintf(text, sizeof text, "attachment; filename=\"%s\"", a->file);
        add(response, "Content-Disposition", text);
    }
    if (a->last)
        add(response, "Connection", "close");
    if (a->retry_seconds != 0) {
        snprintf(text, sizeof text, "%u", a->retry_seconds);
        add(response, "Retry-After", text);
    }
}

struct MHD_Response *web_answer_body(struct answer *a)
{
    struct MHD_Response *response;

    if (a->fixed != NULL)
        return MHD_create_response_from_buffer(a->fixed_len,
                                               (void *)(uintptr_t)a->fixed, /* NOLINT */
                                               MHD_RESPMEM_PERSISTENT);
    response = MHD_create_response_from_buffer(a->body.len, a->body.data, MHD_RESPMEM_MUST_FREE);
    if (response != NULL)
        a->body = (struct buf){0};
    return response;
}
