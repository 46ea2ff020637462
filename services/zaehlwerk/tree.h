/* tree: annotations as lines of text or JSON. */
#ifndef TREE_H
#define TREE_H

#include "note.h"

/**
 * note_visit: print a note; arg is a FILE.
 *
 *     0009  DB                       tag: general-glo-ciphering
 *   ! 0105  9B                       checksum: 9A expected, 9B found
 *
 * Offset in hex, the first octets of the run, name and value; indented below its heading. ! marks
 * the place of an error.
 */
void tree_show(void *arg, const struct note *note);

/** The same as a JSON object a line: space, at, length, octets (hex), depth, leaf, wrong, name,
 * value. */
void tree_show_json(void *arg, const struct note *note);

#endif
