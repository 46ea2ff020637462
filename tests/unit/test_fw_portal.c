/* The set-up page: what it shows, what it takes, what it never tells. */
#include "tools.h"

#include <stdbool.h>
#include <stdio.h>

#include "buf.h"
#include "fw_portal.h"

#define CA          "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
#define FINGERPRINT "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
#define SAME        "broker=b&port=1883&topic=t"
#define CA_FORM     "ca=-----BEGIN+CERTIFICATE-----%0D%0AMIIB%0D%0A-----END+CERTIFICATE-----%0D%0A"

/* A device and the last answer. */
struct device {
    struct fw_settings settings, saved;
    char ca[FW_CA_MAX + 1], scratch[FW_SCRATCH];
    bool broken;
    unsigned saves, status, begins;
    char location[64];
    struct buf page;
    struct fw_portal portal;
};

static const char *const networks[] = {"home", "<b>\"&", NULL};

static bool save(void *arg, const struct fw_settings *s, const char *ca)
{
    struct device *d = arg;

    d->saves++;
    d->saved = *s;
    snprintf(d->ca, sizeof d->ca, "%s", ca == NULL ? "" : ca);
    return !d->broken;
}

static void begin(void *arg, unsigned status, const char *location)
{
    struct device *d = arg;

    d->begins++;
    d->status = status;
    snprintf(d->location, sizeof d->location, "%s", location == NULL ? "" : location);
}

static void take(void *arg, const char *text, size_t len)
{
    struct device *d = arg;

    assert_int_equal(d->begins, 1);
    assert_true(len > 0);
    assert_int_equal(buf_add(&d->page, text, len), 0);
}

static void device_open(struct device *d)
{
    memset(d, 0, sizeof *d);
    fw_settings_defaults(&d->settings, "zaehlwerk-A1B2C3");
    d->portal = (struct fw_portal){.settings = &d->settings,
                                   .networks = networks,
                                   .scratch = d->scratch,
                                   .save = save,
                                   .arg = d};
}

static const char *ask(struct device *d, const char *path, const char *language, const char *body)
{
    struct octets exact = octets_copy((const uint8_t *)body, body == NULL ? 0 : strlen(body));
    const struct fw_request r = {.path = path,
                                 .language = language,
                                 .post = body != NULL,
                                 .body = (const char *)exact.at,
                                 .body_len = exact.len};
    const struct fw_reply reply = {begin, take, d};

    buf_free(&d->page);
    d->begins = 0;
    fw_portal_answer(&d->portal, &r, &reply);
    assert_int_equal(d->begins, 1);
    assert_int_equal(buf_add(&d->page, "", 1), 0);
    free(exact.at);
    return (const char *)d->page.data;
}

static void has(const char *page, const char *text)
{
    if (strstr(page, text) == NULL)
        fail_msg("%s is not in %s", text, page);
}

static void lacks(const char *page, const char *text)
{
    if (strstr(page, text) != NULL)
        fail_msg("%s is in %s", text, page);
}

static void german_and_english(void **state)
{
    static const struct row {
        const char *path, *language, *lang;
    } rows[] = {
        {"/", "", "de"},           {"/", "de-AT,de;q=0.9", "de"},
        {"/", "en-GB", "en"},      {"/", "fr,de;q=0.5", "en"},
        {"/?lang=en", "de", "en"}, {"/?lang=de", "en", "de"},
        {"/?lang=xx", "de", "en"}, {"/?x=1&lang=de", "en", "de"},
        {"/", "*", "en"},          {"/?lang=toolongforit", "de", "de"},
    };
    struct device d;

    (void)state;
    device_open(&d);
    for (size_t i = 0; i < COUNT(rows); i++) {
        char want[32];

        snprintf(want, sizeof want, "<html lang=\"%s\">", rows[i].lang);
        has(ask(&d, rows[i].path, rows[i].language, NULL), want);
        assert_int_equal(d.status, 200);
    }
    has(ask(&d, "/save", "de", "lang=en"), "<html lang=\"en\">");
    buf_free(&d.page);
}

/* How phones look for a captive portal. */
static void every_other_address_leads_to_the_page(void **state)
{
    static const char *const paths[] = {"/generate_204",
                                        "/hotspot-detect.html",
                                        "/connecttest.txt",
                                        "/save",
                                        "/favicon.ico",
                                        "/../etc",
                                        ""};
    struct device d;

    (void)state;
    device_open(&d);
    for (size_t i = 0; i < COUNT(paths); i++) {
        assert_string_equal(ask(&d, paths[i], "de", NULL), "");
        assert_int_equal(d.status, 302);
        assert_string_equal(d.location, "http://192.168.4.1/");
    }
    ask(&d, "/", "de", "ssid=x");
    assert_int_equal(d.status, 302);
    assert_int_equal(d.saves, 0);
    buf_free(&d.page);
}

static void stored_secrets(struct device *d)
{
    strcpy(d->settings.ssid, "home");
    strcpy(d->settings.wifi_password, "wifi-secret");
    strcpy(d->settings.broker, "b");
    strcpy(d->settings.user, "u");
    strcpy(d->settings.password, "mqtt-secret");
}

static void secrets_stay(void **state)
{
    struct device d;
    const char *page;

    (void)state;
    device_open(&d);
    strcpy(d.settings.ssid, "home");
    strcpy(d.settings.wifi_password, "s3cret-wifi");
    strcpy(d.settings.user, "u");
    strcpy(d.settings.password, "s3cret-mqtt");
    page = ask(&d, "/?lang=en", "", NULL);
    lacks(page, "s3cret");
    has(page, "stored; leave empty to keep it");
    page =
        ask(&d, "/save", "en", "ssid=home&wifi_password=s3cret-new&broker=&port=1&user=u&topic=t");
    assert_int_equal(d.status, 400);
    lacks(page, "s3cret");
    buf_free(&d.page);
}

static void names_of_networks_are_escaped(void **state)
{
    struct device d;
    const char *page;

    (void)state;
    device_open(&d);
    strcpy(d.settings.ssid, "\"><script>");
    page = ask(&d, "/", "en", NULL);
    lacks(page, "<script>");
    lacks(page, "<b>");
    has(page, "value=\"&quot;>&lt;script>\"");
    has(page, "<option value=\"&lt;b>&quot;&amp;\">");
    buf_free(&d.page);
}

static void what_is_sent_is_saved(void **state)
{
    struct device d;

    (void)state;
    device_open(&d);
    strcpy(d.settings.update_url, "https://old/");
    has(ask(&d, "/save", "en",
            "lang=en&ssid=My+net&wifi_password=p%40ssword1&broker=10.0.0.2&port=8883&user=me&"
            "password=%26%3D&topic=a%2Fb&status_topic=c%2Fd&name=n1&tls=1&line_mode=2&damaged="
            "1&" CA_FORM),
        "Saved");
    assert_int_equal(d.status, 200);
    assert_int_equal(d.saves, 1);
    assert_string_equal(d.saved.ssid, "My net");
    assert_string_equal(d.saved.wifi_password, "p@ssword1");
    assert_string_equal(d.saved.broker, "10.0.0.2");
    assert_int_equal(d.saved.port, 8883);
    assert_string_equal(d.saved.user, "me");
    assert_string_equal(d.saved.password, "&=");
    assert_string_equal(d.saved.topic, "a/b");
    assert_string_equal(d.saved.status_topic, "c/d");
    assert_string_equal(d.saved.name, "n1");
    assert_string_equal(d.saved.update_url, "https://old/"); /* not in this form: as it was */
    assert_int_equal(d.saved.tls, 1);
    assert_int_equal(d.saved.line_mode, 2);
    assert_int_equal(d.saved.swap_pins, 0); /* unchecked */
    assert_int_equal(d.saved.damaged, 1);
    assert_int_equal(d.saved.discovery, 0);
    assert_string_equal(d.ca, CA);
    buf_free(&d.page);
}

/* Empty, or not in the form at all: the stored one, but not for another network or user. */
static void an_empty_password(void **state)
{
    static const struct row {
        const char *form, *wifi, *mqtt;
    } rows[] = {
        {"ssid=home&user=u&wifi_password=&password=", "wifi-secret", "mqtt-secret"},
        {"ssid=other&user=u&wifi_password=&password=y", "", "y"},
        {"ssid=home&user=v&wifi_password=&password=", "wifi-secret", ""},
        {"ssid=home&user=&wifi_password=&password=", "wifi-secret", ""},
        {"ssid=home&user=u&wifi_password=new+secret&password=x", "new secret", "x"},
        {"ssid=home&user=u", "wifi-secret", "mqtt-secret"},
        {"ssid=other&user=v", "", ""},
    };
    struct device d;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char form[256];

        device_open(&d);
        stored_secrets(&d);
        snprintf(form, sizeof form, "%s&" SAME, rows[i].form);
        ask(&d, "/save", "en", form);
        assert_int_equal(d.saves, 1);
        assert_string_equal(d.saved.wifi_password, rows[i].wifi);
        assert_string_equal(d.saved.password, rows[i].mqtt);
        buf_free(&d.page);
    }
}

/* Whoever is near may send a form, but no stored password to a broker or a firmware of his. */
static void a_stored_password_goes_nowhere_else(void **state)
{
    static const struct row {
        const char *form, *field;
    } rows[] = {
        {"broker=evil&port=1883", "password"},
        {"broker=b&port=1884", "password"},
        {"ssid=evil&broker=b&port=1883", "password"},
        {"broker=b&port=1883&wifi_password=evil1234", "password"},
        {"broker=b&port=1883&tls=1&fingerprint=" FINGERPRINT, "password"},
        {"broker=b&port=1883&fingerprint=" FINGERPRINT, "password"},
        {"broker=b&port=1883&wifi_password=x1234567&" CA_FORM, "password"},
        {"broker=b&port=1883&wifi_password=x1234567&update_url=https%3A%2F%2Fevil", "password"},
        {"broker=b&port=1883&password=x&" CA_FORM, "wifi_password"},
        {"broker=b&port=1883&password=x&update_url=https%3A%2F%2Fevil", "wifi_password"},
    };
    struct device d;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char form[512], want[64];

        for (unsigned empty = 0; empty < 2; empty++) {
            device_open(&d);
            stored_secrets(&d);
            snprintf(form, sizeof form, "%s&ssid=home&user=u&topic=t%s", rows[i].form,
                     empty ? "&wifi_password=&password=" : "");
            snprintf(want, sizeof want, "<a href=\"#%s\">", rows[i].field);
            has(ask(&d, "/save", "en", form), want);
            assert_int_equal(d.status, 400);
            assert_int_equal(d.saves, 0);
            buf_free(&d.page);
        }
        snprintf(form, sizeof form, "%s&ssid=home&user=u&password=p&wifi_password=w1234567",
                 rows[i].form);
        ask(&d, "/save", "en", form);
        assert_int_equal(d.saves, 1);
        assert_null(strstr(d.saved.wifi_password, "secret"));
        assert_null(strstr(d.saved.password, "secret"));
        buf_free(&d.page);
    }
}

/* With TLS it is the same broker wherever it stands. */
static void the_network_may_change_with_tls(void **state)
{
    struct device d;

    (void)state;
    device_open(&d);
    stored_secrets(&d);
    d.settings.tls = 1;
    strcpy(d.settings.fingerprint, FINGERPRINT);
    ask(&d, "/save", "en",
        "ssid=other&user=u&tls=1&fingerprint=" FINGERPRINT "&wifi_password=&password=&" SAME);
    assert_int_equal(d.saves, 1);
    assert_string_equal(d.saved.wifi_password, "");
    assert_string_equal(d.saved.password, "mqtt-secret");
    buf_free(&d.page);
}

/* Without a password there is nothing to lose. */
static void an_open_broker_may_change(void **state)
{
    struct device d;

    (void)state;
    device_open(&d);
    stored_secrets(&d);
    d.settings.password[0] = '\0';
    ask(&d, "/save", "en", "ssid=home&user=u&broker=other&port=1&topic=t");
    assert_int_equal(d.saves, 1);
    assert_string_equal(d.saved.wifi_password, "wifi-secret");
    strcpy(d.settings.password, "left over");
    ask(&d, "/save", "en", "ssid=home&user=&broker=other&port=1&topic=t");
    assert_int_equal(d.saves, 2);
    assert_string_equal(d.saved.password, "");
    buf_free(&d.page);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct row {
        const char *form, *field;
    } rows[] = {
        {"", "ssid"},
        {"ssid=n", "broker"},
        {"ssid=n&broker=b&port=0", "port"},
        {"ssid=n&broker=b&port=70000", "port"},
        {"ssid=n&broker=mqtt%3A%2F%2Fb", "broker"},
        {"ssid=n&broker=b&topic=a%2F%23", "topic"},
        {"ssid=n&broker=b&topic=status%2Fsmartmeter", "status_topic"},
        {"ssid=n&broker=b&wifi_password=short", "wifi_password"},
        {"ssid=n&broker=b&name=a%2Fb", "name"},
        {"ssid=n&broker=b&update_url=http%3A%2F%2Fx", "update_url"},
        {"ssid=n&broker=b&line_mode=9", "line_mode"},
        {"ssid=n&broker=b&tls=1", "ca"},
        {"ssid=n&broker=b&ca=no", "ca"},
        {"ssid=n&broker=b&tls=1&fingerprint=ABCD", "fingerprint"},
        {"ssid=n&broker=%&ca=no", "broker"},
    };
    struct device d;

    (void)state;
    device_open(&d);
    for (size_t i = 0; i < COUNT(rows); i++) {
        char want[64];
        const char *page = ask(&d, "/save", "en", rows[i].form);

        snprintf(want, sizeof want, "role=\"alert\">Please check: <a href=\"#%s\">", rows[i].field);
        has(page, want);
        snprintf(want, sizeof want, "-hint\" aria-invalid=\"true\" autofocus");
        has(page, want);
        assert_int_equal(d.status, 400);
        assert_int_equal(d.saves, 0);
    }
    buf_free(&d.page);
}

static void a_stored_certificate_will_do(void **state)
{
    struct device d;

    (void)state;
    device_open(&d);
    d.portal.has_ca = true;
    has(ask(&d, "/?lang=en", "", NULL), "A certificate is stored");
    ask(&d, "/save", "en", "ssid=n&broker=b&tls=1&ca=");
    assert_int_equal(d.saves, 1);
    assert_string_equal(d.ca, "");
    buf_free(&d.page);
}

static void a_fingerprint_will_do(void **state)
{
    struct device d;

    (void)state;
    device_open(&d);
    ask(&d, "/save", "en", "ssid=n&broker=b&tls=1&ca=&fingerprint=" FINGERPRINT);
    assert_int_equal(d.saves, 1);
    assert_string_equal(d.saved.fingerprint, FINGERPRINT);
    assert_string_equal(d.ca, "");
    buf_free(&d.page);
}

/* A form with a chain of so many characters, lines as browsers send them; text: as it is to be
 * kept. */
static void chain(size_t len, char *form, char *text)
{
    static const char begin_line[] = "-----BEGIN CERTIFICATE-----\n",
                      end_line[] = "-----END CERTIFICATE-----\n";
    size_t head = sizeof begin_line - 1, tail = sizeof end_line - 1;

    memcpy(text, begin_line, head);
    for (size_t i = head; i < len - tail; i++)
        text[i] = (i - head) % 65 == 64 ? '\n' : (char)('A' + i % 26);
    memcpy(text + len - tail, end_line, tail + 1);
    form += sprintf(form, "ssid=n&broker=b&tls=1&ca=");
    for (; *text != '\0'; text++)
        form += sprintf(form, *text == '\n' ? "%%0D%%0A" : *text == ' ' ? "+" : "%c", *text);
}

static void a_chain_as_long_as_may_be(void **state)
{
    static char form[2 * FW_CA_MAX], text[FW_CA_MAX + 2];
    struct device d;
    const char *page;

    (void)state;
    device_open(&d);
    chain(FW_CA_MAX, form, text);
    ask(&d, "/save", "en", form);
    assert_int_equal(d.status, 200);
    assert_int_equal(d.saves, 1);
    assert_string_equal(d.ca, text);
    chain(FW_CA_MAX + 1, form, text);
    page = ask(&d, "/save", "en", form);
    assert_int_equal(d.status, 400);
    assert_int_equal(d.saves, 1);
    has(page, "<a href=\"#ca\">");
    has(page, "aria-describedby=\"ca-hint\" aria-invalid=\"true\"");
    has(page, "3072 characters at most");
    buf_free(&d.page);
}

/* Longer than the device takes at all; and cut off by who copied it. */
static void no_whole_certificate(void **state)
{
    static char form[4 * FW_CA_MAX];
    struct device d;
    const struct fw_request r = {
        .path = "/save", .language = "en", .post = true, .body = "", .too_long = true};
    const struct fw_reply reply = {begin, take, &d};

    (void)state;
    device_open(&d);
    strcpy(d.settings.ssid, "home");
    fw_portal_answer(&d.portal, &r, &reply);
    assert_int_equal(buf_add(&d.page, "", 1), 0);
    assert_int_equal(d.status, 400);
    has((const char *)d.page.data, "<a href=\"#ca\">");
    has((const char *)d.page.data, "value=\"home\"");
    strcpy(form, "ssid=n&broker=b&ca=-----BEGIN+CERTIFICATE-----");
    ask(&d, "/save", "en", form);
    assert_int_equal(d.status, 400);
    memset(form + strlen(form), 'A', 3 * FW_CA_MAX);
    ask(&d, "/save", "en", form);
    assert_int_equal(d.status, 400);
    assert_int_equal(d.saves, 0);
    buf_free(&d.page);
}

/* It is no secret, and nobody wants to paste it twice. */
static void a_certificate_stays_in_a_refused_form(void **state)
{
    struct device d;

    (void)state;
    device_open(&d);
    has(ask(&d, "/save", "en", "ssid=n&broker=&" CA_FORM), ">" CA "</textarea>");
    has(ask(&d, "/save", "en", "ssid=n&broker=b&ca=%3Cb%3E%26"), ">&lt;b>&amp;</textarea>");
    assert_int_equal(d.saves, 0);
    buf_free(&d.page);
}

static void what_cannot_be_saved(void **state)
{
    struct device d;

    (void)state;
    device_open(&d);
    d.broken = true;
    has(ask(&d, "/save", "en", "ssid=n&broker=b"), "Saving failed");
    assert_int_equal(d.status, 500);
    buf_free(&d.page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(german_and_english),
        cmocka_unit_test(every_other_address_leads_to_the_page),
        cmocka_unit_test(secrets_stay),
        cmocka_unit_test(names_of_networks_are_escaped),
        cmocka_unit_test(what_is_sent_is_saved),
        cmocka_unit_test(an_empty_password),
        cmocka_unit_test(a_stored_password_goes_nowhere_else),
        cmocka_unit_test(the_network_may_change_with_tls),
        cmocka_unit_test(an_open_broker_may_change),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(a_stored_certificate_will_do),
        cmocka_unit_test(a_fingerprint_will_do),
        cmocka_unit_test(a_chain_as_long_as_may_be),
        cmocka_unit_test(no_whole_certificate),
        cmocka_unit_test(a_certificate_stays_in_a_refused_form),
        cmocka_unit_test(what_cannot_be_saved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
