/* mysql: whether the original program's kind of server answers. */
#ifndef MYSQL_H
#define MYSQL_H

#include <stdbool.h>

/**
 * MySQL and MariaDB speak first: a packet whose fifth octet is 10, the protocol's version. Waits
 * half a second for it.
 */
bool mysql_greets(const char *host, const char *port);

#endif
