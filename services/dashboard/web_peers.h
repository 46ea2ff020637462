/* web_peers: the connections there are, and which of them are too slow or gone. For web.c alone. */
#ifndef WEB_PEERS_H
#define WEB_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events.h"

/** Thread-safe. */
struct web_peers;

/** One TCP connection. */
struct web_peer;

/** clients: listeners for events. NULL out of memory. */
struct web_peers *web_peers_new(size_t clients);
void web_peers_free(struct web_peers *peers);

/** A connection begins, with its first request under way (NULL out of memory), and ends. */
struct web_peer *web_peers_join(struct web_peers *peers, int fd);
void web_peers_leave(struct web_peers *peers, struct web_peer *p);

/** It is being answered, or the next request is awaited; it listens, or not (NULL). p NULL: fine.
 */
void web_peers_busy(struct web_peers *peers, struct web_peer *p, bool busy);
void web_peers_listens(struct web_peers *peers, struct web_peer *p, struct listener *l);

/** Shut those whose request takes too long, and drop listeners that have gone. */
void web_peers_tick(struct web_peers *peers, struct events *events, int64_t now_ms);

#endif
