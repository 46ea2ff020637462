/* scramble: throwaway names and numbers for those that must not leak. */
#ifndef SCRAMBLE_H
#define SCRAMBLE_H

#include <stddef.h>
#include <stdint.h>

/** The replacements of one run: what was the same stays the same. */
struct scramble;

struct scramble *scramble_new(void);
void scramble_free(struct scramble *s);

/**
 * Make an identifier known before any is replaced: no replacement then holds four octets in a row
 * of it. The first `keep` octets stay as they are (a system title's manufacturer). Returns 0 or
 * -ENOMEM.
 */
int scramble_know(struct scramble *s, const uint8_t *octets, size_t len, size_t keep)
    __attribute__((warn_unused_result));

/**
 * Replace a known identifier in place: digits by digits, letters by letters of the same case where
 * all of it is printable, other octets at random; its length stays. Returns 0; -EIO without random
 * octets.
 */
int scramble_replace(struct scramble *s, uint8_t *octets, size_t len)
    __attribute__((warn_unused_result));

/**
 * Replace a number, in place: big-endian, of 4 or 8 octets, at most INT64_MAX. It keeps its count
 * of digits. With a class (which register of which meter) the differences between its numbers stay
 * as they are, and 0 stays 0; class NULL: at random. Returns 0; -EIO without random octets;
 * -ENOMEM.
 */
int scramble_number(struct scramble *s,
                    uint8_t *octets,
                    size_t len,
                    const uint8_t *class,
                    size_t class_len) __attribute__((warn_unused_result));

/** Random octets; 0 or -EIO. */
int scramble_random(void *octets, size_t len) __attribute__((warn_unused_result));

#endif
