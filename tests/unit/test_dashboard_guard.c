/* Who may ask what: the password, its cookie, how often it may be tried, and other sites' pages. */
#include "tools.h"

#include <gcrypt.h>
#include <stdio.h>

#include "capture.h"
#include "guard.h"
#include "session.h"
#include "tries.h"

enum { NOW = 1767225600 };

static int start(void **state)
{
    (void)state;
    return gcry_check_version(NULL) == NULL;
}

static void the_password(void **state)
{
    struct session *s = session_new("correct horse");

    (void)state;
    assert_true(session_password(s, "correct horse"));
    assert_false(session_password(s, "correct hors"));
    assert_false(session_password(s, "correct horse "));
    assert_false(session_password(s, ""));
    session_free(s);
    session_free(NULL);
}

/* A cookie header with a token. */
static const char *header(const char *token)
{
    static char text[2 * SESSION_CHARS];

    snprintf(text, sizeof text, "other=1; " SESSION_COOKIE "=%s; more=2", token);
    return text;
}

static void tokens(void **state)
{
    struct session *s = session_new("a"), *again = session_new("a"), *other = session_new("b");
    char token[SESSION_CHARS], second[SESSION_CHARS];
    int64_t age = -1;

    (void)state;
    session_token(s, NOW, token);
    session_token(s, NOW, second);
    assert_string_not_equal(token, second);
    assert_true(session_cookie(s, header(token), NOW, NULL));
    assert_true(session_cookie(s, header(second), NOW, NULL));
    assert_true(session_cookie(again, header(token), NOW + 1000, &age)); /* a replica, a restart */
    assert_int_equal(age, 1000);
    assert_false(session_cookie(other, header(token), NOW, NULL)); /* the password was changed */
    assert_true(session_cookie(s, header(token), NOW + SESSION_SECONDS - 1, NULL));
    assert_false(session_cookie(s, header(token), NOW + SESSION_SECONDS, NULL));
    assert_false(session_cookie(s, NULL, NOW, NULL));
    assert_false(session_cookie(s, "", NOW, NULL));
    session_free(s);
    session_free(again);
    session_free(other);
}

/* Whatever octet of it changes, and wherever it is cut. */
static void changed_tokens(void **state)
{
    struct session *s = session_new("a");
    char token[SESSION_CHARS], changed[SESSION_CHARS];

    (void)state;
    session_token(s, NOW, token);
    for (size_t i = 0; token[i] != '\0'; i++) {
        memcpy(changed, token, sizeof changed);
        changed[i] = (char)(token[i] == '1' ? '2' : '1');
        assert_false(session_cookie(s, header(changed), NOW, NULL));
        changed[i] = '\0';
        assert_false(session_cookie(s, header(changed), NOW, NULL));
    }
    snprintf(changed, sizeof changed, "%.90s;x", token);
    assert_false(session_cookie(s, header(changed), NOW, NULL));
    assert_false(session_cookie(s, SESSION_COOKIE "=", NOW, NULL));
    assert_false(session_cookie(s, SESSION_COOKIE "=..", NOW, NULL));
    assert_false(session_cookie(s, ";;; ;" SESSION_COOKIE, NOW, NULL));
    session_free(s);
}

static void tries_of_one(void **state)
{
    struct tries *t = tries_new();
    int64_t now = 1000000;

    (void)state;
    for (int i = 0; i < TRIES_PER_ADDRESS; i++)
        assert_int_equal(tries_count(t, "192.0.2.1", now + i), 0);
    assert_int_equal(tries_count(t, "192.0.2.1", now + 10), 60);
    assert_int_equal(tries_count(t, "192.0.2.1", now + 59500), 1);
    assert_int_equal(tries_count(t, "192.0.2.2", now + 10), 0);
    assert_int_equal(tries_count(t, "192.0.2.1", now + 60001), 0); /* a new minute */
    tries_forget(t, "192.0.2.1");
    for (int i = 0; i < TRIES_PER_ADDRESS; i++)
        assert_int_equal(tries_count(t, "192.0.2.1", now + 60002), 0);
    assert_int_not_equal(tries_count(t, "192.0.2.1", now + 60003), 0);
    tries_free(t);
    tries_free(NULL);
}

static void tries_of_a_network(void **state)
{
    struct tries *t = tries_new();
    char address[64];

    (void)state;
    for (int i = 0; i < TRIES_PER_ADDRESS; i++) {
        snprintf(address, sizeof address, "2001:db8:1:2::%x", (unsigned)i + 1);
        assert_int_equal(tries_count(t, address, 5000), 0);
    }
    assert_int_not_equal(tries_count(t, "2001:db8:1:2:3:4:5:6", 5000), 0);
    assert_int_equal(tries_count(t, "2001:db8:1:3::1", 5000), 0);
    for (int i = 1; i < TRIES_PER_ADDRESS; i++)
        assert_int_equal(tries_count(t, "::ffff:192.0.2.9", 5000), 0);
    assert_int_equal(tries_count(t, "192.0.2.9", 5000), 0); /* the same, written the other way */
    assert_int_not_equal(tries_count(t, "192.0.2.9", 5000), 0);
    tries_free(t);
}

static void tries_of_all(void **state)
{
    struct tries *t = tries_new();
    char address[64];
    int allowed = 0;

    (void)state;
    for (int i = 0; i < 3 * TRIES_ADDRESSES; i++) { /* more than are kept */
        snprintf(address, sizeof address, "10.%d.%d.1", i / 256, i % 256);
        allowed += tries_count(t, address, 7000) == 0;
    }
    assert_int_equal(allowed, TRIES_IN_ALL);
    assert_int_equal(tries_count(t, "10.0.0.1", 7000 + 60000), 0);
    tries_free(t);
}

static void hosts(void **state)
{
    static const struct row {
        const char *host;
        bool own;
    } rows[] = {
        {"localhost", true},
        {"localhost:8080", true},
        {"LOCALHOST:1", true},
        {"127.0.0.1:8080", true},
        {"[::1]:8080", true},
        {"[::1]", true},
        {"evil.example", false},
        {"localhost.evil", false},
        {"localhost:x.evil", false},
        {"127.0.0.1:80evil", false},
        {"127.0.0.1.evil.example:80", false},
        {"", false},
        {NULL, false},
        {"127.0.0.2", false},
    };
    struct guard *open = guard_new("", false), *locked = guard_new("x", false),
                 *behind = guard_new("", true);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct request r = {.method = "GET", .path = "/", .host = rows[i].host};
        struct answer a = {0};

        assert_int_equal(guard_host(open, &r, &a), rows[i].own);
        assert_int_equal(a.status, rows[i].own ? 0 : 421);
        answer_free(&a);
        assert_true(guard_host(locked, &r, &a));
        assert_true(guard_host(behind, &r, &a));
    }
    guard_free(open);
    guard_free(locked);
    guard_free(behind);
    guard_free(NULL);
}

static void who_is_known(void **state)
{
    const struct request nobody = {.method = "GET"}, user = {.method = "GET", .user = "anna"},
                         empty = {.method = "GET", .user = ""};
    struct guard *open = guard_new("", false), *locked = guard_new("x", false),
                 *behind = guard_new("", true), *both = guard_new("x", true);
    struct answer a = {0};

    (void)state;
    assert_true(guard_knows(open, &nobody, NOW));
    assert_false(guard_knows(locked, &nobody, NOW));
    assert_false(guard_knows(locked, &user, NOW)); /* nobody said that the header may be trusted */
    assert_false(guard_knows(behind, &nobody, NOW));
    assert_false(guard_knows(behind, &empty, NOW));
    assert_true(guard_knows(behind, &user, NOW));
    assert_true(guard_knows(both, &user, NOW));
    assert_false(guard_knows(both, &nobody, NOW));
    guard_refuse(locked, &a);
    assert_int_equal(a.status, 401);
    guard_refuse(behind, &a);
    assert_int_equal(a.status, 403);
    answer_free(&a);
    guard_free(open);
    guard_free(locked);
    guard_free(behind);
    guard_free(both);
}

static void posts(void **state)
{
    static const struct row {
        const char *why, *host, *origin, *site, *type;
        unsigned status;
    } rows[] = {
        {"the page's own", "a:1", "http://a:1", "same-origin", "application/json", 0},
        {"without Sec-Fetch-Site", "a:1", "http://A:1", NULL, "application/json", 0},
        {"no browser", "a:1", NULL, NULL, "application/json; charset=utf-8", 0},
        {"another site", "a:1", "http://evil.example", "cross-site", "application/json", 403},
        {"a neighbour", "a:1", "http://b.a:1", "same-site", "application/json", 403},
        {"another site, old browser", "a:1", "https://evil", NULL, "application/json", 403},
        {"no origin at all", "a:1", "null", NULL, "application/json", 403},
        {"typed in", "a:1", NULL, "none", "application/json", 403},
        {"a form", "a:1", NULL, NULL, "application/x-www-form-urlencoded", 415},
        {"text", "a:1", NULL, NULL, "text/plain", 415},
        {"nearly", "a:1", NULL, NULL, "application/jsonx", 415},
        {"nothing", "a:1", NULL, NULL, NULL, 415},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct request r = {.method = "POST",
                                  .host = rows[i].host,
                                  .origin = rows[i].origin,
                                  .fetch_site = rows[i].site,
                                  .content_type = rows[i].type};
        struct answer a = {0};

        if (guard_post(&r, &a) != (rows[i].status == 0) || a.status != rows[i].status)
            fail_msg("%s: %u", rows[i].why, a.status);
        answer_free(&a);
    }
}

/* One try, and its status. */
static unsigned login(struct guard *g, const char *body, struct answer *a)
{
    const struct request r = {.method = "POST",
                              .address = "192.0.2.7",
                              .forwarded_proto = "https",
                              .body = (const uint8_t *)body,
                              .body_len = strlen(body)};

    answer_free(a);
    guard_login(g, &r, a, NOW);
    return a->status;
}

static void signing_in(void **state)
{
    struct guard *g = guard_new("geheim", false);
    struct answer a = {0};
    struct request r = {.method = "GET"};
    char cookie[COOKIE_CHARS];
    struct capture capture;

    (void)state;
    assert_int_equal(login(g, "", &a), 400);
    assert_int_equal(login(g, "{\"password\": 1}", &a), 400);
    assert_int_equal(login(g, "[\"geheim\"]", &a), 400);
    assert_int_equal(login(g, "{\"password\": \"falsch\"}", &a), 401);
    assert_string_equal(a.cookie, "");
    assert_int_equal(login(g, "{\"password\": \"geheim\"}", &a), 204);
    assert_non_null(strstr(a.cookie, "; HttpOnly; SameSite=Strict; Secure"));
    snprintf(cookie, sizeof cookie, "%.*s", (int)strcspn(a.cookie, ";"), a.cookie);
    r.cookie = cookie;
    assert_true(guard_knows(g, &r, NOW));
    answer_free(&a);
    guard_renew(g, &r, &a, NOW + 86399);
    assert_string_equal(a.cookie, "");
    guard_renew(g, &r, &a, NOW + 86400);
    assert_non_null(strstr(a.cookie, SESSION_COOKIE "="));
    guard_logout(&r, &a);
    assert_non_null(strstr(a.cookie, SESSION_COOKIE "=; Max-Age=0;"));
    for (int i = 0; i < TRIES_PER_ADDRESS; i++)
        assert_int_equal(login(g, "{\"password\": \"falsch\"}", &a), 401);
    capture_begin(&capture);
    assert_int_equal(login(g, "{\"password\": \"geheim\"}", &a), 429); /* the right one, too */
    capture_end(&capture);
    assert_null(strstr(capture.text, "geheim"));
    assert_true(a.retry_seconds > 0 && a.retry_seconds <= 60);
    answer_free(&a);
    guard_free(g);
}

/* A direct stranger chooses no address; behind a proxy each has tries of his own. */
static void whose_tries(void **state)
{
    static const struct row {
        bool proxy;
        const char *peer, *forwarded, *counted;
    } rows[] = {
        {false, "192.0.2.7", NULL, "192.0.2.7"},
        {false, "192.0.2.7", "198.51.100.1", "192.0.2.7"},
        {false, "2001:db8::1", "198.51.100.1", "2001:db8::1"},
        {false, "1270::1", "198.51.100.1", "1270::1"},
        {false, "127.0.0.1", NULL, "127.0.0.1"},
        {false, "127.0.0.1", "198.51.100.1", "198.51.100.1"},
        {false, "::1", "203.0.113.9, 198.51.100.1", "198.51.100.1"},
        {false, "::ffff:127.0.0.1", "198.51.100.1 ", "198.51.100.1"},
        {true, "10.0.0.1", "203.0.113.9,2001:db8::5", "2001:db8::5"},
        {true, "10.0.0.1", NULL, "10.0.0.1"},
        {true, "10.0.0.1", "", "10.0.0.1"},
        {true, "10.0.0.1", "203.0.113.9,", "10.0.0.1"},
        {true, "10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"},
        {true, "10.0.0.1", "198.51.100.1:99", "10.0.0.1"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct guard *g = guard_new("x", rows[i].proxy);
        struct request r = {.forwarded_for = rows[i].forwarded};
        char address[64];

        snprintf(r.address, sizeof r.address, "%s", rows[i].peer);
        guard_address(g, &r, address);
        if (strcmp(address, rows[i].counted) != 0)
            fail_msg("%zu: %s", i, address);
        guard_free(g);
    }
}

/* A stranger behind the proxy locks himself out, and nobody else. */
static void strangers_behind_a_proxy(void **state)
{
    static const struct row {
        const char *forwarded, *body;
        int times;
        unsigned status;
    } rows[] = {
        {"203.0.113.9", "{\"password\": \"falsch\"}", TRIES_PER_ADDRESS, 401},
        {"1.1.1.1, 203.0.113.9", "{\"password\": \"geheim\"}", 1, 429},
        {"198.51.100.1", "{\"password\": \"geheim\"}", 1, 204},
    };
    struct guard *g = guard_new("geheim", false);
    struct answer a = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct request r = {.method = "POST",
                                  .address = "127.0.0.1",
                                  .forwarded_for = rows[i].forwarded,
                                  .body = (const uint8_t *)rows[i].body,
                                  .body_len = strlen(rows[i].body)};

        for (int n = 0; n < rows[i].times; n++) {
            answer_free(&a);
            a = (struct answer){0};
            guard_login(g, &r, &a, NOW);
            assert_int_equal(a.status, rows[i].status);
        }
    }
    answer_free(&a);
    guard_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_password),
        cmocka_unit_test(tokens),
        cmocka_unit_test(changed_tokens),
        cmocka_unit_test(tries_of_one),
        cmocka_unit_test(tries_of_a_network),
        cmocka_unit_test(tries_of_all),
        cmocka_unit_test(hosts),
        cmocka_unit_test(who_is_known),
        cmocka_unit_test(posts),
        cmocka_unit_test(signing_in),
        cmocka_unit_test(whose_tries),
        cmocka_unit_test(strangers_behind_a_proxy),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
