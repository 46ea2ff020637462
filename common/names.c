#include "names.h"

#include <search.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* A value stands behind its node, its name behind the value. */
struct node {
    const char *name;
    alignas(max_align_t) char value[];
};

struct names {
    void *tree;
    size_t count, value_size;
    void (*fini)(void *value);
};

struct names *names_new(size_t value_size, void (*fini)(void *value))
{
    struct names *n = calloc(1, sizeof *n);

    if (n != NULL)
        *n = (struct names){.value_size = value_size, .fini = fini};
    return n;
}

static struct node *node_of(const void *value)
{
    return (struct node *)((char *)value - offsetof(struct node, value));
}

const char *names_of(const void *value)
{
    return node_of(value)->name;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct node *)a)->name, ((const struct node *)b)->name);
}

static void drop(const struct names *n, struct node *node)
{
    if (n->fini != NULL)
        n->fini(node->value);
    free(node);
}

void names_free(struct names *n)
{
    if (n == NULL)
        return;
    while (n->tree != NULL) {
        struct node *root = *(struct node **)n->tree;

        tdelete(root, &n->tree, compare);
        drop(n, root);
    }
    free(n);
}

void *names_find(const struct names *n, const char *name)
{
    const struct node key = {.name = name};
    struct node **found = tfind(&key, &n->tree, compare);

    return found == NULL ? NULL : (*found)->value;
}

void *names_add(struct names *n, const char *name)
{
    void *value = names_find(n, name);
    size_t size = strlen(name) + 1;
    struct node *node;

    if (value != NULL)
        return value;
    node = calloc(1, sizeof *node + n->value_size + size);
    if (node == NULL)
        return NULL;
    node->name = memcpy(node->value + n->value_size, name, size);
    if (tsearch(node, &n->tree, compare) == NULL) {
        free(node);
        return NULL;
    }
    n->count++;
    return node->value;
}

void names_remove(struct names *n, const char *name)
{
    void *value = names_find(n, name);

    if (value == NULL)
        return;
    tdelete(node_of(value), &n->tree, compare);
    drop(n, node_of(value));
    n->count--;
}

size_t names_count(const struct names *n)
{
    return n->count;
}

struct tour {
    void (*visit)(void *value, void *arg);
    void *arg;
};

static void visit_node(const void *node, VISIT visit, void *arg)
{
    const struct tour *tour = arg;

    if (visit == postorder || visit == leaf)
        tour->visit((*(struct node *const *)node)->value, tour->arg);
}

void names_each(const struct names *n, void (*visit)(void *value, void *arg), void *arg)
{
    struct tour tour = {visit, arg};

    twalk_r(n->tree, visit_node, &tour);
}
