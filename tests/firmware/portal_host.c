/*
 * The firmware's set-up page served from this machine, for a browser: its settings in the device's
 * own store, with the bounds of the SDK's flash; three networks in the air. Prints "port N" when it
 * listens and a line for each form that is saved; {"wifi_password": ...} shows that secrets arrive.
 * Ends with its standard input.
 */
#include <microhttpd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "esp8266/main/store.h"
#include "esp_err.h"
#include "fw_portal.h"
#include "fw_text.h"

struct host {
    struct fw_settings settings;
    struct fw_portal portal;
    char scratch[FW_SCRATCH];
};

/* One answer under way. */
struct reply {
    unsigned status;
    char location[64];
    struct buf page;
};

void sdk_abort(void)
{
    abort();
}

static bool save(void *arg, const struct fw_settings *s, const char *ca)
{
    struct host *h = arg;
    char text[2 * FW_CA_MAX], *stored;
    struct fw_text t = fw_text_make(text, sizeof text);

    if (!store_write(s, ca) || !store_read(&h->settings))
        return false;
    s = &h->settings;
    fw_text_char(&t, '{');
    for (const struct fw_field *f = fw_fields; f < fw_fields + FW_FIELDS; f++) {
        fw_text_char(&t, '"');
        fw_text_add(&t, f->name);
        fw_text_add(&t, "\":\"");
        if (f->kind == FW_TEXT || f->kind == FW_SECRET)
            fw_text_json(&t, (const char *)s + f->offset);
        else
            fw_text_number(&t, fw_settings_number(s, f));
        fw_text_add(&t, "\",");
    }
    fw_text_add(&t, "\"ca\":\"");
    stored = store_read_ca();
    fw_text_json(&t, stored == NULL ? "" : stored);
    fw_text_add(&t, "\"}");
    printf("saved %s\n", text);
    fflush(stdout);
    h->portal.has_ca = stored != NULL;
    free(stored);
    return !t.full;
}

static void begin(void *arg, unsigned status, const char *location)
{
    struct reply *r = arg;

    r->status = status;
    snprintf(r->location, sizeof r->location, "%s", location == NULL ? "" : location);
}

static void take(void *arg, const char *text, size_t len)
{
    struct reply *r = arg;

    if (buf_add(&r->page, text, len) != 0)
        abort();
}

/* The path with its query, which the library has taken apart. */
static const char *whole_path(struct MHD_Connection *c, const char *url, char path[256])
{
    const char *lang = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "lang");

    snprintf(path, 256, lang == NULL ? "%s" : "%s?lang=%s", url, lang);
    return path;
}

static enum MHD_Result send_reply(struct MHD_Connection *c, struct reply *r)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(r->page.len, r->page.data, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result;

    MHD_add_response_header(response, "Content-Type", "text/html; charset=utf-8");
    if (r->location[0] != '\0')
        MHD_add_response_header(response, "Location", r->location);
    result = MHD_queue_response(c, r->status, response);
    MHD_destroy_response(response);
    buf_free(&r->page);
    return result;
}

static enum MHD_Result on_request(void *arg,
                                  struct MHD_Connection *c,
                                  const char *url,
                                  const char *method,
                                  const char *version,
                                  const char *data,
                                  size_t *size,
                                  void **state)
{
    struct host *h = arg;
    struct buf *body = *state;
    struct reply r = {0};
    const struct fw_reply reply = {begin, take, &r};
    const char *language = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Accept-Language");
    char path[256];
    bool too_long = body != NULL && body->len > FW_BODY_MAX;

    (void)version;
    if (body == NULL) {
        *state = calloc(1, sizeof *body);
        return *state == NULL ? MHD_NO : MHD_YES;
    }
    if (*size > 0) {
        enum MHD_Result taken = buf_add(body, data, *size) == 0 ? MHD_YES : MHD_NO;

        *size = 0;
        return taken;
    }
    fw_portal_answer(&h->portal,
                     &(struct fw_request){.path = whole_path(c, url, path),
                                          .language = language == NULL ? "" : language,
                                          .post = strcmp(method, "POST") == 0,
                                          .body = (const char *)body->data,
                                          .body_len = too_long ? 0 : body->len,
                                          .too_long = too_long},
                     &reply);
    return send_reply(c, &r);
}

static void
on_done(void *arg, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode how)
{
    struct buf *body = *state;

    (void)arg;
    (void)c;
    (void)how;
    if (body != NULL)
        buf_free(body);
    free(body);
}

int main(void)
{
    static const char *const networks[] = {"Zuhause 5", "Caf\xC3\xA9 <free> \"WLAN\"", "other",
                                           NULL};
    struct host h = {.portal = {.networks = networks, .save = save}};
    struct MHD_Daemon *daemon;

    h.portal.settings = &h.settings;
    h.portal.scratch = h.scratch;
    h.portal.arg = &h;
    store_begin();
    fw_settings_defaults(&h.settings, "Zaehlwerk-A1B2C3");
    daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, NULL, NULL, on_request,
                         &h, MHD_OPTION_NOTIFY_COMPLETED, on_done, NULL, MHD_OPTION_END);
    if (daemon == NULL)
        return 1;
    printf("port %u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    while (getchar() != EOF)
        ;
    MHD_stop_daemon(daemon);
    return 0;
}
