/* download: rows as CSV, as `zaehlwerk export` writes it, a page at a time, so that no connection
 * to the database waits for a browser.
 */
#ifndef DOWNLOAD_H
#define DOWNLOAD_H

#include "answer.h"
#include "store.h"

/** A download under way. */
struct download;

/** From a request, or NULL with 400 (or 500) answered. */
struct download *download_ask(const struct request *r, struct answer *a);

/** Read the next page (a job's run): 0, or -EAGAIN with why and nothing lost. */
int download_run(struct download *x, struct store *store, char why[STORE_WHY_CHARS]);

/** The page that was read; the caller takes from its front. */
struct buf *download_page(struct download *x);

/** True when that was the last one. */
bool download_is_last(const struct download *x);

/** "zaehlwerk-METER-quarter_hour.csv" */
const char *download_file(const struct download *x);

void download_free(struct download *x);

#endif
