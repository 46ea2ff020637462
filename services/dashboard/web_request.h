/* web_request: requests as libmicrohttpd has them. For web.c alone. */
#ifndef WEB_REQUEST_H
#define WEB_REQUEST_H

#include <microhttpd.h>
#include <stdbool.h>

#include "answer.h"

/** All but the body. user_header: a trusted proxy's, or "". Its strings are the connection's. */
void web_request_read(struct MHD_Connection *c,
                      const char *user_header,
                      const char *method,
                      const char *path,
                      struct request *r);

/**
 * Whether it tells the end of its body in more than one way: a proxy in front may take another one
 * than we do, and the rest for a request of its own (RFC 9112, 6.3).
 */
bool web_request_is_ambiguous(struct MHD_Connection *c);

/** Whether it says that its body has more than ROUTE_BODY_MAX. */
bool web_request_is_too_long(struct MHD_Connection *c);

/** For MHD_OPTION_UNESCAPE_CALLBACK. */
size_t web_request_keep_escapes(void *arg, struct MHD_Connection *c, char *text);

#endif
