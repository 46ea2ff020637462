/* question: what only the database can answer. */
#ifndef QUESTION_H
#define QUESTION_H

#include "energy.h"
#include "download.h"
#include "jobs.h"
#include "series.h"

/** One of them is not NULL. */
struct question {
    struct series *series;
    struct energy *energy;
    struct download *download;
};

/** As a job: data is a struct question on the heap, whose parts it owns. */
int question_run(void *data, struct store *store, char why[STORE_WHY_CHARS]);
void question_free(void *data);

/**
 * Answer with what a job brought: rc and why as jobs say them. Of a download the first page becomes
 * the body, and its name the file's.
 */
void question_answer(struct question *q, int rc, const char *why, struct answer *a);

#endif
