/* fw_dns: every name leads to the set-up page. */
#ifndef FW_DNS_H
#define FW_DNS_H

#include <stddef.h>
#include <stdint.h>

#define FW_DNS_MAX 288 /* octets of an answer: a query of one name, and one address */

/**
 * Answer a DNS query with this address (RFC 1035): a question for an A record in class IN gets it,
 * any other an empty answer. Returns the answer's length, or 0 when the octets are no query of one
 * question, or the answer has no room.
 */
size_t fw_dns_answer(
    const uint8_t *query, size_t len, const uint8_t address[4], uint8_t *out, size_t room);

#endif
