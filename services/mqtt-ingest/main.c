/* mqtt-ingest: takes meters' payloads from the broker and hands whole telegrams to the decryptors.
 */
#include "ingest.h"

int main(int argc, char **argv)
{
    struct ingest self = {0};
    int rc = svc_start(&self.svc, &ingest_info, &self, argc, argv);

    if (rc == 0)
        rc = ingest_open(&self);
    if (rc == 0)
        rc = svc_run(&self.svc);
    ingest_close(&self);
    return svc_exit(&ingest_info, rc);
}
