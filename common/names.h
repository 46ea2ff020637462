/* names: values by name (a meter's id, a topic), for as many as there are. */
#ifndef NAMES_H
#define NAMES_H

#include <stddef.h>

/** A tree of names, each with a value of one size. */
struct names;

/** Values of value_size octets; `fini`, which may be NULL, is called before one goes. NULL: no
 * memory. */
struct names *names_new(size_t value_size, void (*fini)(void *value));
void names_free(struct names *n);

/** The value of a name, or NULL. It stays where it is until it is removed. */
void *names_find(const struct names *n, const char *name);

/** The value of a name, all zero when it is new. NULL out of memory. */
void *names_add(struct names *n, const char *name);

/** The name of a value; lives as long as the value. */
const char *names_of(const void *value);

void names_remove(struct names *n, const char *name);
size_t names_count(const struct names *n);

/** Visit every value in order of names; it must neither add nor remove. */
void names_each(const struct names *n, void (*visit)(void *value, void *arg), void *arg);

#endif
