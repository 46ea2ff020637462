#include "fw_portal.h"

#include <string.h>

#include "fw_form.h"
#include "fw_line.h"
#include "fw_text.h"
#include "fw_words.h"

enum { PIECE = 512, FIELD_ROOM = 160 };

/* The page under way: small pieces gather until one is worth sending. */
struct page {
    const struct fw_portal *portal;
    const struct fw_reply *reply;
    const struct fw_settings *s; /* what the form shows */
    struct fw_settings form;     /* what was submitted */
    enum fw_language language;
    const char *wrong; /* a field's name, or NULL */
    const char *ca;    /* the certificate that was submitted, or NULL */
    char piece[PIECE];
    size_t len;
};

static const char style[] =
    "<style>body{font:16px/1.45 system-ui,sans-serif;max-width:34em;margin:0 auto;padding:1em;"
    "color:#1a1a1a;background:#fff}h1{font-size:1.4em}fieldset{border:1px solid #999;border-radius:"
    "6px;margin:0 0 1em;padding:.6em 1em 1em}legend{font-weight:600;padding:0 .3em}label{display:"
    "block;margin-top:.7em}input:not([type=checkbox]),select,textarea{box-sizing:border-box;width:"
    "100%;padding:.5em;font:inherit;border:1px solid #767676;border-radius:4px}textarea{height:6em;"
    "font:12px monospace}small{color:#555}button{font:inherit;font-weight:600;padding:.7em 1.4em;"
    "border:0;border-radius:6px;background:#0b57d0;color:#fff;width:100%}summary{cursor:pointer;"
    "margin-bottom:.6em}.wrong{border:2px solid #b3261e;border-radius:6px;padding:.6em 1em}"
    "[aria-invalid]{border-color:#b3261e!important;outline:1px solid #b3261e}"
    "a{color:#0b57d0}</style>";

static void flush(struct page *g)
{
    if (g->len > 0)
        g->reply->write(g->reply->arg, g->piece, g->len);
    g->len = 0;
}

static void put(struct page *g, const char *text)
{
    for (size_t len = strlen(text); len > 0;) {
        size_t some = len < PIECE - g->len ? len : PIECE - g->len;

        memcpy(g->piece + g->len, text, some);
        g->len += some;
        text += some;
        len -= some;
        if (g->len == PIECE)
            flush(g);
    }
}

/* Text from outside. */
static void put_text(struct page *g, const char *text)
{
    char one[2] = "", escaped[8];

    for (; *text != '\0'; text++) {
        struct fw_text t = fw_text_make(escaped, sizeof escaped);

        one[0] = *text;
        fw_text_html(&t, one);
        put(g, escaped);
    }
}

static void put_number(struct page *g, uint16_t number)
{
    char text[8];
    struct fw_text t = fw_text_make(text, sizeof text);

    fw_text_number(&t, number);
    put(g, text);
}

static void put_word(struct page *g, enum fw_word word)
{
    put(g, fw_words[g->language][word]);
}

static const struct fw_field *find_field(const char *name)
{
    const struct fw_field *f = fw_fields;

    while (f < fw_fields + FW_FIELDS - 1 && strcmp(f->name, name) != 0)
        f++;
    return f;
}

static const char *text_in(const struct fw_settings *s, const struct fw_field *f)
{
    return (const char *)s + f->offset;
}

static void open_page(struct page *g, unsigned status, enum fw_word title)
{
    g->reply->begin(g->reply->arg, status, NULL);
    put(g, "<!DOCTYPE html><html lang=\"");
    put_word(g, FW_WORD_LANG);
    put(g,
        "\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
        "<title>");
    put_word(g, title);
    put(g, "</title>");
    put(g, style);
    put(g, "</head><body><h1>");
    put_word(g, title);
    put(g, "</h1>");
}

static void close_page(struct page *g)
{
    put(g, "</body></html>");
    flush(g);
}

static void put_label(struct page *g, const char *name)
{
    put(g, "<label for=\"");
    put(g, name);
    put(g, "\">");
    put(g, fw_label(g->language, name));
    put(g, "</label>");
}

/* The attributes that an input has whatever its type. */
static void put_names(struct page *g, const char *name)
{
    put(g, " id=\"");
    put(g, name);
    put(g, "\" name=\"");
    put(g, name);
    put(g, "\" aria-describedby=\"");
    put(g, name);
    put(g, "-hint\"");
    if (g->wrong != NULL && strcmp(g->wrong, name) == 0)
        put(g, " aria-invalid=\"true\" autofocus");
}

static void put_hint(struct page *g, const char *name)
{
    put(g, "<small id=\"");
    put(g, name);
    put(g, "-hint\">");
    put(g, fw_hint(g->language, name));
    put(g, "</small>");
}

/* A stored secret is not shown, only that there is one. */
static void put_input(struct page *g, const char *name, const char *more)
{
    const struct fw_field *f = find_field(name);
    bool secret = f->kind == FW_SECRET;

    put_label(g, name);
    put(g, secret ? "<input type=\"password\"" : "<input");
    put_names(g, name);
    put(g, more);
    if (f->kind == FW_NUMBER) {
        put(g, " inputmode=\"numeric\" value=\"");
        put_number(g, fw_settings_number(g->s, f));
    } else {
        put(g, " maxlength=\"");
        put_number(g, (uint16_t)(f->size - 1));
        put(g, "\" value=\"");
        if (!secret)
            put_text(g, text_in(g->s, f));
    }
    if (secret && text_in(g->portal->settings, f)[0] != '\0') {
        put(g, "\" placeholder=\"");
        put_word(g, FW_WORD_KEPT);
    }
    put(g, "\" autocapitalize=\"none\" autocorrect=\"off\" spellcheck=\"false\">");
    put_hint(g, name);
}

static void put_switch(struct page *g, const char *name)
{
    put(g, "<label><input type=\"checkbox\" value=\"1\"");
    put_names(g, name);
    if (fw_settings_number(g->s, find_field(name)) != 0)
        put(g, " checked");
    put(g, "> ");
    put(g, fw_label(g->language, name));
    put(g, "</label>");
    put_hint(g, name);
}

static void put_option(struct page *g, uint16_t value, const char *text)
{
    put(g, "<option value=\"");
    put_number(g, value);
    put(g, g->s->line_mode == value ? "\" selected>" : "\">");
    put(g, text);
    put(g, "</option>");
}

static void put_line_mode(struct page *g)
{
    put_label(g, "line_mode");
    put(g, "<select");
    put_names(g, "line_mode");
    put(g, ">");
    put_option(g, FW_LINE_AUTO, fw_words[g->language][FW_WORD_AUTO]);
    for (uint16_t i = 0; i < FW_LINE_MODES; i++)
        put_option(g, i, fw_line_modes[i].name);
    put(g, "</select>");
    put_hint(g, "line_mode");
}

static void put_ca(struct page *g)
{
    put(g, "<label for=\"ca\">");
    put_word(g, FW_WORD_CA);
    put(g, "</label><textarea spellcheck=\"false\""); /* a maxlength would cut without a word */
    put_names(g, "ca");
    put(g, ">");
    put_text(g, g->ca == NULL ? "" : g->ca);
    put(g, "</textarea><small id=\"ca-hint\">");
    put(g, g->portal->has_ca ? fw_words[g->language][FW_WORD_CA_KEPT] : fw_hint(g->language, "ca"));
    put(g, "</small>");
}

static void begin_group(struct page *g, enum fw_word title)
{
    put(g, "<fieldset><legend>");
    put_word(g, title);
    put(g, "</legend>");
}

static void put_network(struct page *g)
{
    begin_group(g, FW_WORD_NETWORK);
    put_input(g, "ssid", " required list=\"networks\"");
    put(g, "<datalist id=\"networks\">");
    for (const char *const *n = g->portal->networks; *n != NULL; n++) {
        put(g, "<option value=\"");
        put_text(g, *n);
        put(g, "\">");
    }
    put(g, "</datalist>");
    put_input(g, "wifi_password", " autocomplete=\"off\"");
    put(g, "</fieldset>");
}

static void put_broker(struct page *g)
{
    begin_group(g, FW_WORD_BROKER);
    put_input(g, "broker", " required");
    put_input(g, "port", " required maxlength=\"5\"");
    put_input(g, "user", " autocomplete=\"off\"");
    put_input(g, "password", " autocomplete=\"off\"");
    put_input(g, "topic", " required");
    put_switch(g, "tls");
    put_ca(g);
    put_input(g, "fingerprint", "");
    put(g, "</fieldset>");
}

/* What most people never need; open when one of them is wrong. */
static void put_more(struct page *g)
{
    static const char *const names[] = {"status_topic", "name", "update_url"};
    static const char *const switches[] = {"swap_pins", "damaged", "discovery"};
    bool open = g->wrong != NULL && strcmp(g->wrong, "line_mode") == 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        open = open || (g->wrong != NULL && strcmp(g->wrong, names[i]) == 0);
    put(g, open ? "<details open><summary>" : "<details><summary>");
    put_word(g, FW_WORD_MORE);
    put(g, "</summary>");
    put_line_mode(g);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        put_input(g, names[i], "");
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++)
        put_switch(g, switches[i]);
    put(g, "</details>");
}

static void put_complaint(struct page *g)
{
    put(g, "<p class=\"wrong\" role=\"alert\">");
    put_word(g, FW_WORD_WRONG);
    put(g, " <a href=\"#");
    put(g, g->wrong);
    put(g, "\">");
    put(g, fw_label(g->language, g->wrong));
    put(g, "</a>. ");
    put(g, fw_hint(g->language, g->wrong));
    put(g, "</p>");
}

static void show_form(struct page *g)
{
    open_page(g, g->wrong == NULL ? 200 : 400, FW_WORD_TITLE);
    put(g, "<p><a href=\"/?lang=");
    put_word(g, FW_WORD_OTHER);
    put(g, "\" hreflang=\"");
    put_word(g, FW_WORD_OTHER);
    put(g, "\">");
    put_word(g, FW_WORD_OTHER_NAME);
    put(g, "</a></p><p>");
    put_word(g, FW_WORD_INTRO);
    put(g, "</p>");
    if (g->wrong != NULL)
        put_complaint(g);
    put(g, "<form method=\"post\" action=\"/save\"><input type=\"hidden\" name=\"lang\" value=\"");
    put_word(g, FW_WORD_LANG);
    put(g, "\">");
    put_network(g);
    put_broker(g);
    put_more(g);
    put(g, "<p><button>");
    put_word(g, FW_WORD_SAVE);
    put(g, "</button></p></form>");
    close_page(g);
}

/* The language asked for in the query or the form, else by the browser's first; German if none. */
static enum fw_language choose_language(const struct fw_request *r)
{
    const char *query = strchr(r->path, '?');
    char asked[8];

    if (query == NULL || fw_form_get(query + 1, strlen(query + 1), "lang", asked, sizeof asked) < 0)
        (void)fw_form_get(r->body, r->post ? r->body_len : 0, "lang", asked, sizeof asked);
    if (asked[0] == '\0')
        memcpy(asked, r->language[0] == '\0' ? "de" : r->language, 2);
    return memcmp(asked, "de", 2) == 0 ? FW_GERMAN : FW_ENGLISH;
}

/* Whether the MQTT password goes where it went. Without TLS whoever has the network is the broker.
 */
static bool same_broker(const struct fw_settings *old, const struct fw_settings *new)
{
    bool same_network =
        strcmp(old->ssid, new->ssid) == 0 && strcmp(old->wifi_password, new->wifi_password) == 0;

    if (strcmp(old->broker, new->broker) != 0 || old->port != new->port)
        return false;
    if (old->tls != new->tls || strcmp(old->fingerprint, new->fingerprint) != 0)
        return false;
    return new->tls != 0 || same_network;
}

/*
 * An empty password means the stored one, but anybody near may fill in the form: where the password
 * would then go to another broker, or where another firmware could be made to read it, it has to be
 * typed again. The field where that is missing, or NULL.
 */
static const char *keep_secrets(const struct fw_settings *old, struct fw_settings *new, bool new_ca)
{
    bool same_firmware = !new_ca && strcmp(old->update_url, new->update_url) == 0;

    if (new->wifi_password[0] == '\0' && strcmp(old->ssid, new->ssid) == 0) {
        if (!same_firmware && old->wifi_password[0] != '\0')
            return "wifi_password";
        memcpy(new->wifi_password, old->wifi_password, sizeof new->wifi_password);
    }
    if (new->password[0] == '\0' && new->user[0] != '\0' && strcmp(old->user, new->user) == 0) {
        if ((!same_firmware || !same_broker(old, new)) && old->password[0] != '\0')
            return "password";
        memcpy(new->password, old->password, sizeof new->password);
    }
    return NULL;
}

/* Take the form into s, field by field; the first that is wrong, or NULL. */
static const char *read_fields(const struct fw_request *r, struct fw_settings *s)
{
    const char *wrong = NULL;

    for (const struct fw_field *f = fw_fields; f < fw_fields + FW_FIELDS; f++) {
        char text[FIELD_ROOM];
        int len = fw_form_get(r->body, r->body_len, f->name, text, sizeof text);

        if (len == FW_FORM_ABSENT) { /* as an unchecked box is */
            if (f->kind == FW_SWITCH || f->kind == FW_SECRET)
                (void)fw_settings_set(s, f, f->kind == FW_SWITCH ? "0" : "");
            continue;
        }
        if ((len < 0 || !fw_settings_set(s, f, text)) && wrong == NULL)
            wrong = f->name;
    }
    return wrong != NULL ? wrong : fw_settings_wrong(s);
}

/* Line ends as PEM files have them. Returns the length. */
static size_t drop_returns(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; from++)
        if (*from != '\r')
            *to++ = *from;
    *to = '\0';
    return (size_t)(to - text);
}

static bool is_certificate(const char *text, size_t len)
{
    return len <= FW_CA_MAX && strncmp(text, "-----BEGIN CERTIFICATE-----", 27) == 0 &&
           strstr(text, "-----END CERTIFICATE-----") != NULL;
}

/* A new certificate goes to the scratch, if there is one. False: it cannot be used, or is missing.
 */
static bool read_ca(struct page *g, const struct fw_request *r)
{
    char *text = g->portal->scratch;
    bool needed = g->form.tls != 0 && g->form.fingerprint[0] == '\0' && !g->portal->has_ca;
    int len = fw_form_get(r->body, r->body_len, "ca", text, FW_SCRATCH);

    if (len <= 0)
        return len != FW_FORM_WRONG && !needed;
    g->ca = text;
    return is_certificate(text, drop_returns(text));
}

/* Only a certificate can be too long for a whole form: a browser minds the other fields' lengths.
 */
static const char *read_form(struct page *g, const struct fw_request *r)
{
    const char *wrong = r->too_long ? "ca" : read_fields(r, &g->form);
    bool ca_fine = r->too_long || read_ca(g, r);

    if (wrong == NULL && !ca_fine)
        wrong = "ca";
    return wrong != NULL ? wrong : keep_secrets(g->portal->settings, &g->form, g->ca != NULL);
}

static void take_form(struct page *g, const struct fw_request *r)
{
    g->form = *g->portal->settings;
    g->s = &g->form;
    g->wrong = read_form(g, r);
    if (g->wrong != NULL) {
        show_form(g);
        return;
    }
    if (!g->portal->save(g->portal->arg, &g->form, g->ca)) {
        open_page(g, 500, FW_WORD_NOT_SAVED);
        close_page(g);
        return;
    }
    open_page(g, 200, FW_WORD_SAVED_TITLE);
    put(g, "<p role=\"status\">");
    put_word(g, FW_WORD_SAVED);
    put(g, "</p>");
    close_page(g);
}

void fw_portal_answer(const struct fw_portal *p,
                      const struct fw_request *request,
                      const struct fw_reply *reply)
{
    struct page g = {.portal = p, .reply = reply, .s = p->settings};

    g.language = choose_language(request);
    if (request->post && strcmp(request->path, "/save") == 0)
        take_form(&g, request);
    else if (!request->post && request->path[0] == '/' &&
             (request->path[1] == '\0' || request->path[1] == '?'))
        show_form(&g);
    else
        reply->begin(reply->arg, 302, "http://" FW_PORTAL_HOST "/");
}
