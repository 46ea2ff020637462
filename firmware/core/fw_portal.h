/* fw_portal: the page of the first set-up, in German and English. */
#ifndef FW_PORTAL_H
#define FW_PORTAL_H

#include <stdbool.h>
#include <stddef.h>

#include "fw_settings.h"

#define FW_PORTAL_HOST "192.168.4.1"     /* the device's address in its own network */
#define FW_CA_MAX      3072              /* characters of the CA certificate (PEM) */
#define FW_BODY_MAX    8192              /* of a submitted form */
#define FW_SCRATCH     (FW_CA_MAX + 129) /* browsers send a CR with each line end */

struct fw_request {
    const char *path;     /* with the query: "/?lang=en" */
    const char *language; /* the Accept-Language header, or "" */
    bool post;
    const char *body; /* of a POST */
    size_t body_len;
    bool too_long; /* the body had more than FW_BODY_MAX, and is not here */
};

/** How an answer leaves: `begin` once, then `write` with pieces of the page. */
struct fw_reply {
    /** location: where to go instead, or NULL. */
    void (*begin)(void *arg, unsigned status, const char *location);
    void (*write)(void *arg, const char *text, size_t len);
    void *arg;
};

struct fw_portal {
    const struct fw_settings *settings; /* of now */
    const char *const *networks;        /* names that were seen, NULL-terminated */
    bool has_ca;                        /* a CA certificate is stored */
    char *scratch;                      /* FW_SCRATCH octets to work with */
    /**
     * Keep these; ca: a new certificate, or NULL to keep the one there is. False: they could not be
     * written. The device restarts with them after the answer.
     */
    bool (*save)(void *arg, const struct fw_settings *s, const char *ca);
    void *arg;
};

/**
 * Answer one request: the page at "/", the form at "/save", and for all else the way to "/", which
 * is how phones find a captive portal. Stored passwords are never sent. An empty one in the form
 * keeps what is stored, for the same network or user; but the MQTT password has to be typed again
 * when broker, port, TLS or fingerprint change, or without TLS the network, and both when the CA
 * certificate or the address of updates does.
 */
void fw_portal_answer(const struct fw_portal *p,
                      const struct fw_request *request,
                      const struct fw_reply *reply);

#endif
