/* vectors: the frames of real meters (tests/vectors/field.json). Tests run in the repository's
 * root. */
#ifndef VECTORS_H
#define VECTORS_H

#include <jansson.h>

#include "tools.h"

#define FRAMES_MAX 8

/** All vectors as a JSON array; the caller drops it. */
static inline json_t *vectors_load(void)
{
    json_error_t error;
    json_t *vectors = json_load_file("tests/vectors/field.json", 0, &error);

    if (!json_is_array(vectors))
        fail_msg("tests/vectors/field.json: %s (line %d)", error.text, error.line);
    return vectors;
}

/** A member's text, or NULL. */
static inline const char *vector_text(const json_t *vector, const char *key)
{
    return json_string_value(json_object_get(vector, key));
}

static inline const json_t *vector_find(const json_t *vectors, const char *id)
{
    const json_t *vector;
    size_t i;

    json_array_foreach(vectors, i,
                       vector) if (strcmp(vector_text(vector, "id"), id) == 0) return vector;
    fail_msg("no vector %s", id);
    return NULL;
}

/** A vector's frames in order; returns how many. The caller frees each. */
static inline size_t vector_frames(const json_t *vector, struct octets frames[FRAMES_MAX])
{
    const json_t *list = json_object_get(vector, "frames");
    size_t count = json_array_size(list);

    assert_true(count <= FRAMES_MAX);
    for (size_t i = 0; i < count; i++)
        frames[i] = octets_from_hex(json_string_value(json_array_get(list, i)));
    return count;
}

#endif
