/* input: a file or standard input with meter frames, and what is said when they are none. */
#ifndef INPUT_H
#define INPUT_H

#include "assembler.h"
#include "buf.h"

/**
 * Read the file, or standard input for "-", and append the octets that it stands for
 * (payload_octets). Returns an exit status; stderr says why when it is not 0: 65 when it is no
 * payload or empty, 66 when it cannot be read, 71 out of memory.
 */
int input_octets(const char *command, const char *path, struct buf *octets);

/** The line for what did not become a reading: reason, advice, detail, meter and size. */
void input_complain(
    const char *command, enum verdict v, const char *detail, const char *meter, size_t octets);

/** Hand over each telegram in octets. Returns 0 or -ENOMEM. */
int input_telegrams(const struct buf *octets, assembler_emit *emit, void *arg)
    __attribute__((warn_unused_result));

#endif
