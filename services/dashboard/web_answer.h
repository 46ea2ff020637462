/* web_answer: answers as libmicrohttpd takes them. For web.c alone. */
#ifndef WEB_ANSWER_H
#define WEB_ANSWER_H

#include <microhttpd.h>

#include "answer.h"

/** The headers of an answer, and those that every answer has. */
void web_answer_headers(struct MHD_Response *response, const struct answer *a);

/** A response with the answer's body, which it takes over; without headers. NULL out of memory. */
struct MHD_Response *web_answer_body(struct answer *a);

#endif
