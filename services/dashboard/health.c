#include "health.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "buf.h"
#include "conf.h"

enum { ROUND_SECONDS = 5, TIMEOUT_MS = 2000, ANSWER_MAX = 262144 };

struct health {
    void (*told)(void *arg, const struct health_report *report);
    void *arg;
    char **entries; /* as conf_list makes them */
    struct health_report report;
    CURL *curl;
    struct buf text;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* of the wait between rounds */
    pthread_cond_t wake;
    atomic_bool ended;
};

const char *health_name(enum health_state s)
{
    static const char *const names[] = {"unknown", "up", "waiting", "down"};

    return names[s];
}

bool health_read_entry(const char *entry, char name[HEALTH_NAME_CHARS + 1], const char **url)
{
    size_t n = strcspn(entry, "=");

    if (n == 0 || n > HEALTH_NAME_CHARS || entry[n] == '\0')
        return false;
    *url = entry + n + 1;
    if (strncmp(*url, "http://", 7) != 0 && strncmp(*url, "https://", 8) != 0)
        return false;
    snprintf(name, HEALTH_NAME_CHARS + 1, "%.*s", (int)n, entry);
    return strstr(*url, "://")[3] != '\0';
}

int health_check(const char *urls)
{
    char **list = strcmp(urls, "off") == 0 ? conf_list("") : conf_list(urls);
    char name[HEALTH_NAME_CHARS + 1];
    const char *url;
    size_t n = 0;
    int rc = list == NULL ? -ENOMEM : 0;

    for (; rc == 0 && list[n] != NULL; n++)
        if (!health_read_entry(list[n], name, &url))
            rc = conf_wrong("STATUS_URLS", list[n],
                            "name=http://host:port/readyz, several with commas");
    if (rc == 0 && n > HEALTH_SERVICES)
        rc = conf_wrong("STATUS_URLS", "more than 32 services", "fewer of them");
    free(list);
    return rc;
}

/* A line of another program, made fit to be shown. */
static void copy_line(char to[HEALTH_TEXT_CHARS + 1], const char *from, size_t len)
{
    size_t n = len < HEALTH_TEXT_CHARS ? len : HEALTH_TEXT_CHARS;

    for (size_t i = 0; i < n; i++)
        to[i] = (char)(from[i] < ' ' || from[i] > '~' ? '?' : from[i]);
    to[n] = '\0';
}

static void copy_details(struct health_service *s, const char *text)
{
    s->detail_count = 0;
    while (*text != '\0' && s->detail_count < HEALTH_DETAILS) {
        size_t n = strcspn(text, "\r\n");

        if (n > 0)
            copy_line(s->details[s->detail_count++], text, n);
        text += n;
        text += strspn(text, "\r\n");
    }
}

/* The first line that names something that is down. */
static const char *first_down(const struct health_service *s)
{
    for (size_t i = 0; i < s->detail_count; i++)
        if (strstr(s->details[i], ": down") != NULL)
            return s->details[i];
    return "it is not ready";
}

void health_judge(struct health_service *s, long status, const char *text, const char *why)
{
    char answered[HEALTH_TEXT_CHARS + 1];

    snprintf(answered, sizeof answered, "it answers with HTTP status %ld", status);
    copy_details(s, status == 200 || status == 503 ? text : "");
    s->state = status == 200 ? HEALTH_UP : status == 503 ? HEALTH_WAITING : HEALTH_DOWN;
    snprintf(s->why, sizeof s->why, "%s",
             status == 200   ? ""
             : status == 503 ? first_down(s)
             : status == 0   ? why
                             : answered);
}

/* What follows a prefix; NULL where it is another. */
static const char *after(const char *text, const char *prefix)
{
    size_t n = strlen(prefix);

    return strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

/* A whole number up to the end of the line; false for anything else. */
static bool read_count(const char *text, int64_t *n)
{
    char *end;

    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    *n = strtoll(text, &end, 10);
    return errno == 0 && (*end == '\0' || *end == '\n' || *end == '\r');
}

/* zaehlwerk_rejects_total{reason="wrong-key"} 3: of services that count the same, the most. */
static void count_reject(struct health_report *r, const char *line)
{
    char reason[32];
    const char *name = after(line, "zaehlwerk_rejects_total{reason=\""), *value;
    size_t len = name == NULL ? 0 : strcspn(name, "\"\n");
    int64_t n;
    int v;

    if (len == 0 || len >= sizeof reason)
        return;
    snprintf(reason, sizeof reason, "%.*s", (int)len, name);
    value = after(name + len, "\"} ");
    v = verdict_from_name(reason);
    if (value != NULL && read_count(value, &n) && v >= 0 && n > r->rejects[v])
        r->rejects[v] = n;
}

void health_count(struct health_report *r, const char *text)
{
    for (const char *line = text; *line != '\0'; line += strspn(line, "\n")) {
        const char *value = after(line, "zaehlwerk_payloads_total ");
        int64_t n;

        if (value != NULL && read_count(value, &n))
            r->mqtt_messages = (r->mqtt_messages < 0 ? 0 : r->mqtt_messages) + n;
        count_reject(r, line);
        line += strcspn(line, "\n");
    }
}

static size_t on_text(char *octets, size_t size, size_t n, void *arg)
{
    struct health *h = arg;

    if (h->text.len + size * n > ANSWER_MAX || buf_add(&h->text, octets, size * n) != 0)
        return 0; /* ends the transfer */
    return size * n;
}

static int
on_progress(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
    struct health *h = arg;

    (void)down_all;
    (void)down;
    (void)up_all;
    (void)up;
    return atomic_load(&h->ended) ? 1 : 0;
}

/* The status, 0 when nothing answers: then *why. The text, NUL-terminated, is in h->text. */
static long fetch(struct health *h, const char *url, const char **why)
{
    long status = 0;
    CURLcode rc;

    h->text.len = 0;
    curl_easy_setopt(h->curl, CURLOPT_URL, url);
    rc = curl_easy_perform(h->curl);
    if (rc == CURLE_OK)
        curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    *why = curl_easy_strerror(rc);
    return buf_add(&h->text, "", 1) == 0 ? status : 0;
}

/* The same server's /metrics, whatever the path was. */
static void count_metrics(struct health *h, const char *url)
{
    char metrics[512];
    const char *host = strstr(url, "://") + 3, *why;
    size_t n = (size_t)(host - url) + strcspn(host, "/?#");

    if (n + sizeof "/metrics" > sizeof metrics)
        return;
    snprintf(metrics, sizeof metrics, "%.*s/metrics", (int)n, url);
    if (fetch(h, metrics, &why) == 200)
        health_count(&h->report, (const char *)h->text.data);
}

static void ask_all(struct health *h)
{
    h->report.mqtt_messages = -1;
    memset(h->report.rejects, 0, sizeof h->report.rejects);
    for (size_t i = 0; i < h->report.count && !atomic_load(&h->ended); i++) {
        struct health_service *s = &h->report.services[i];
        const char *url = "", *why;
        long status;

        (void)health_read_entry(h->entries[i], s->name, &url);
        status = fetch(h, url, &why);
        health_judge(s, status, (const char *)h->text.data, why);
        if (status != 0)
            count_metrics(h, url);
    }
    if (!atomic_load(&h->ended))
        h->told(h->arg, &h->report);
}

static void *run(void *arg)
{
    struct health *h = arg;
    struct timespec until;

    pthread_mutex_lock(&h->lock);
    while (!atomic_load(&h->ended)) {
        pthread_mutex_unlock(&h->lock);
        ask_all(h);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += ROUND_SECONDS;
        pthread_mutex_lock(&h->lock);
        if (!atomic_load(&h->ended))
            pthread_cond_timedwait(&h->wake, &h->lock, &until);
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

static CURL *prepare(struct health *h)
{
    CURL *curl = curl_easy_init();

    if (curl == NULL)
        return NULL;
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L); /* there are threads */
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_text);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, h);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, h);
    return curl;
}

int health_open(const char *urls,
                void (*told)(void *arg, const struct health_report *report),
                void *arg,
                struct health **out)
{
    struct health *h = calloc(1, sizeof *h);
    const char *url;

    if (h == NULL)
        return -ENOMEM;
    *out = h;
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->wake, NULL);
    h->told = told;
    h->arg = arg;
    h->entries = strcmp(urls, "off") == 0 ? conf_list("") : conf_list(urls);
    h->curl = curl_global_init(CURL_GLOBAL_DEFAULT) == 0 ? prepare(h) : NULL;
    if (h->entries == NULL || h->curl == NULL)
        return -ENOMEM;
    while (h->report.count < HEALTH_SERVICES && h->entries[h->report.count] != NULL) {
        size_t i = h->report.count++;

        (void)health_read_entry(h->entries[i], h->report.services[i].name, &url);
    }
    h->report.mqtt_messages = -1;
    told(arg, &h->report); /* all unknown */
    h->started = pthread_create(&h->thread, NULL, run, h) == 0;
    return h->started ? 0 : -ENOMEM;
}

void health_close(struct health *h)
{
    if (h == NULL)
        return;
    pthread_mutex_lock(&h->lock);
    atomic_store(&h->ended, true);
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->lock);
    if (h->started)
        pthread_join(h->thread, NULL);
    if (h->curl != NULL) {
        curl_easy_cleanup(h->curl);
        curl_global_cleanup();
    }
    pthread_mutex_destroy(&h->lock);
    pthread_cond_destroy(&h->wake);
    buf_free(&h->text);
    free(h->entries);
    free(h);
}
