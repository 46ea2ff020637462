#include "question.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { RETRY_SECONDS = 5 };

int question_run(void *data, struct store *store, char why[STORE_WHY_CHARS])
{
    struct question *q = data;

    if (q->series != NULL)
        return series_run(q->series, store, why);
    if (q->energy != NULL)
        return energy_run(q->energy, store, why);
    return download_run(q->download, store, why);
}

void question_free(void *data)
{
    struct question *q = data;

    series_free(q->series);
    energy_free(q->energy);
    download_free(q->download);
    free(q);
}

void question_answer(struct question *q, int rc, const char *why, struct answer *a)
{
    char words[STORE_WHY_CHARS + 40];

    if (rc == -ETIMEDOUT && q != NULL) {
        a->retry_seconds = RETRY_SECONDS;
        answer_error(a, 503, "slow", "The database takes too long for this. Please ask for less.");
    } else if (rc == -EAGAIN || rc == -ETIMEDOUT) {
        a->retry_seconds = RETRY_SECONDS;
        snprintf(words, sizeof words, "The database is away: %s.", why);
        answer_error(a, 503, "database", words);
    } else if (rc != 0) {
        a->status = 500;
    } else if (q->series != NULL) {
        series_answer(q->series, a);
    } else if (q->energy != NULL) {
        energy_answer(q->energy, a);
    } else {
        a->status = 200;
        a->type = "text/csv; charset=utf-8";
        a->file = download_file(q->download);
    }
}
