/* mqtt-ingest: takes meters' payloads from the broker and hands whole telegrams to the decryptors.
 */
#include "mqtt_ingest.h"

int main(int argc, char **argv)
{
    struct mqtt_ingest self = {0};
    int rc = svc_start(&self.ingest.svc, &mqtt_ingest_info, &self, argc, argv);

    if (rc == 0)
        rc = mqtt_ingest_open(&self);
    if (rc == 0)
        rc = svc_run(&self.ingest.svc);
    mqtt_ingest_close(&self);
    return svc_exit(&mqtt_ingest_info, rc);
}
