#include "fw_retry.h"

enum { BACK_OFF_MAX_S = 60, OUTCOME_S = 60, AFRESH = 20 };

void fw_retry_init(struct fw_retry *r)
{
    *r = (struct fw_retry){.wait_s = OUTCOME_S, .back_off_s = 1};
}

void fw_retry_failed(struct fw_retry *r)
{
    r->answered = true;
    r->wait_s = r->back_off_s;
    r->back_off_s = r->back_off_s * 2 > BACK_OFF_MAX_S ? BACK_OFF_MAX_S : r->back_off_s * 2;
}

enum fw_retry_what fw_retry_second(struct fw_retry *r)
{
    bool afresh;

    if (r->wait_s > 1) {
        r->wait_s--;
        return FW_RETRY_WAIT;
    }
    afresh = !r->answered || ++r->attempts == AFRESH;
    if (afresh)
        r->attempts = 0;
    r->answered = false;
    r->wait_s = OUTCOME_S;
    return afresh ? FW_RETRY_AFRESH : FW_RETRY_CONNECT;
}
