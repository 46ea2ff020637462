#include "guard.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "log.h"
#include "session.h"
#include "tries.h"

enum { DAY_SECONDS = 86400 };

struct guard {
    struct session *session; /* NULL: no password */
    struct tries *tries;
    bool proxy;
};

struct guard *guard_new(const char *password, bool proxy)
{
    struct guard *g = calloc(1, sizeof *g);

    if (g == NULL)
        return NULL;
    g->proxy = proxy;
    g->tries = tries_new();
    if (*password != '\0')
        g->session = session_new(password);
    if (g->tries == NULL || (*password != '\0' && g->session == NULL)) {
        guard_free(g);
        return NULL;
    }
    return g;
}

void guard_free(struct guard *g)
{
    if (g == NULL)
        return;
    session_free(g->session);
    tries_free(g->tries);
    free(g);
}

bool guard_has_password(const struct guard *g)
{
    return g->session != NULL;
}

/* "localhost", "127.0.0.1" or "[::1]", with or without a port. */
static bool is_own_host(const char *host)
{
    static const char *const own[] = {"localhost", "127.0.0.1", "[::1]"};

    for (size_t i = 0; host != NULL && i < sizeof own / sizeof own[0]; i++) {
        size_t n = strlen(own[i]);

        if (strncasecmp(host, own[i], n) == 0 &&
            (host[n] == '\0' ||
             (host[n] == ':' && host[n + 1 + strspn(host + n + 1, "0123456789")] == '\0')))
            return true;
    }
    return false;
}

bool guard_host(const struct guard *g, const struct request *r, struct answer *a)
{
    if (g->session != NULL || g->proxy || is_own_host(r->host))
        return true;
    answer_error(a, 421, "host", "This page answers to localhost and 127.0.0.1 alone.");
    return false;
}

bool guard_knows(const struct guard *g, const struct request *r, int64_t now_s)
{
    if (g->proxy && r->user != NULL && *r->user != '\0')
        return true;
    if (g->session != NULL)
        return session_cookie(g->session, r->cookie, now_s, NULL);
    return !g->proxy;
}

void guard_refuse(const struct guard *g, struct answer *a)
{
    if (g->session != NULL)
        answer_error(a, 401, "login", "Please sign in.");
    else
        answer_error(a, 403, "proxy", "The proxy in front has not said who signed in.");
}

/* Browsers say where a request comes from; what says nothing is no browser. */
static bool is_same_site(const struct request *r)
{
    const char *host;

    if (r->fetch_site != NULL)
        return strcmp(r->fetch_site, "same-origin") == 0;
    if (r->origin == NULL)
        return true;
    host = strstr(r->origin, "://");
    return host != NULL && r->host != NULL && strcasecmp(host + 3, r->host) == 0;
}

static bool is_json(const char *type)
{
    const char json[] = "application/json";
    size_t n = strlen(json);

    return type != NULL && strncasecmp(type, json, n) == 0 &&
           (type[n] == '\0' || type[n] == ';' || type[n] == ' ');
}

bool guard_post(const struct request *r, struct answer *a)
{
    if (!is_same_site(r))
        answer_error(a, 403, "origin", "Only the dashboard's own page may do this.");
    else if (!is_json(r->content_type))
        answer_error(a, 415, "type", "Content-Type must be application/json.");
    else
        return true;
    return false;
}

static void set_cookie(const struct request *r, struct answer *a, const char *token, int64_t age_s)
{
    bool tls = r->forwarded_proto != NULL && strcasecmp(r->forwarded_proto, "https") == 0;

    snprintf(a->cookie, sizeof a->cookie,
             SESSION_COOKIE "=%s; Max-Age=%lld; Path=/; HttpOnly; SameSite=Strict%s", token,
             (long long)age_s, tls ? "; Secure" : "");
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0 ||
           strncmp(address, "::ffff:127.", 11) == 0;
}

static bool is_address(const char *text)
{
    struct in6_addr any;

    return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

/* A proxy appends whom it sees, so that what comes before was chosen by whoever asks. */
void guard_address(const struct guard *g, const struct request *r, char address[64])
{
    const char *list = r->forwarded_for, *last;
    char text[64];

    snprintf(address, 64, "%s", r->address);
    if (list == NULL || (!g->proxy && !is_loopback(r->address)))
        return;
    last = strrchr(list, ',');
    last = last == NULL ? list : last + 1;
    last += strspn(last, " \t");
    snprintf(text, sizeof text, "%.*s", (int)strcspn(last, " \t"), last);
    if (is_address(text))
        memcpy(address, text, sizeof text);
}

static void try_password(
    struct guard *g, const struct request *r, struct answer *a, const char *text, int64_t now_s)
{
    char token[SESSION_CHARS], address[64];
    int64_t held;

    guard_address(g, r, address);
    a->retry_seconds = tries_count(g->tries, address, clock_monotonic_ms());
    if (a->retry_seconds != 0) {
        answer_error(a, 429, "wait", "Too many tries. Please wait a minute.");
        if (log_allowed("login", &held))
            log_warn("login", LOG_S("reason", "too many tries"), LOG_S("address", address),
                     LOG_I("suppressed", held));
    } else if (!session_password(g->session, text)) {
        answer_error(a, 401, "password", "That is not the password.");
    } else {
        tries_forget(g->tries, address);
        session_token(g->session, now_s, token);
        set_cookie(r, a, token, SESSION_SECONDS);
        a->status = 204;
    }
}

void guard_login(struct guard *g, const struct request *r, struct answer *a, int64_t now_s)
{
    json_t *body = json_loadb((const char *)r->body, r->body_len, JSON_REJECT_DUPLICATES, NULL);
    const char *password = json_string_value(json_object_get(body, "password"));

    if (g->session == NULL)
        answer_error(a, 404, "no-password", "No password is set here.");
    else if (password == NULL)
        answer_error(a, 400, "body", "{\"password\": \"...\"} is wanted.");
    else
        try_password(g, r, a, password, now_s);
    json_decref(body);
}

void guard_logout(const struct request *r, struct answer *a)
{
    set_cookie(r, a, "", 0);
    a->status = 204;
}

void guard_renew(const struct guard *g, const struct request *r, struct answer *a, int64_t now_s)
{
    char token[SESSION_CHARS];
    int64_t age_s;

    if (g->session == NULL || !session_cookie(g->session, r->cookie, now_s, &age_s) ||
        age_s < DAY_SECONDS)
        return;
    session_token(g->session, now_s, token);
    set_cookie(r, a, token, SESSION_SECONDS);
}
