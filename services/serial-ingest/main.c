/* serial-ingest: takes a meter's telegrams from a serial device and hands them to the decryptors.
 */
#include "serial_ingest.h"

int main(int argc, char **argv)
{
    struct serial_ingest self = {0};
    int rc = svc_start(&self.ingest.svc, &serial_ingest_info, &self, argc, argv);

    if (rc == 0)
        rc = serial_ingest_open(&self);
    if (rc == 0)
        rc = svc_run(&self.ingest.svc);
    serial_ingest_close(&self);
    return svc_exit(&serial_ingest_info, rc);
}
