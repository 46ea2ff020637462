#include "link_key.h"

#include <czmq.h>
#include <errno.h>
#include <string.h>

#include "conf.h"

enum { KEY_OCTETS = 32 };

static bool is_key(const char *text)
{
    uint8_t octets[KEY_OCTETS];
    bool sound = strlen(text) == LINK_KEY_CHARS && zmq_z85_decode(octets, text) != NULL;

    explicit_bzero(octets, sizeof octets);
    return sound;
}

int link_key_check(const char *key)
{
    if (*key == '\0' || is_key(key))
        return 0;
    return conf_wrong("STREAM_KEY", "not a stream key",
                      "the 40 characters that `zaehlwerk keygen` prints");
}

int link_key_make(char key[LINK_KEY_CHARS + 1])
{
    char public[LINK_KEY_CHARS + 1];

    return zmq_curve_keypair(public, key) == 0 ? 0 : -ENOTSUP;
}

int link_key_public(const char *key, char public[LINK_KEY_CHARS + 1])
{
    return zmq_curve_public(public, key) == 0 ? 0 : -EINVAL;
}

int link_key_open(const char *key, zactor_t **door)
{
    static const uint8_t no_secret[KEY_OCTETS];
    char public[LINK_KEY_CHARS + 1];
    uint8_t octets[KEY_OCTETS];
    zcertstore_t *admitted;
    zcert_t *ours;

    if (link_key_public(key, public) != 0 || zmq_z85_decode(octets, public) == NULL)
        return -EINVAL;
    admitted = zcertstore_new(NULL);
    ours = zcert_new_from(octets, no_secret);
    if (admitted == NULL || ours == NULL) {
        zcert_destroy(&ours);
        zcertstore_destroy(&admitted);
        return -ENOMEM;
    }
    zcertstore_insert(admitted, &ours);
    *door = zactor_new(zauth, admitted); /* which frees it */
    return *door == NULL ? -ENOMEM : 0;
}

void link_key_close(zactor_t **door)
{
    zactor_destroy(door);
}

int link_key_apply(void *socket, const char *key, bool server)
{
    static const char domain[] = "zaehlwerk"; /* any: without one nobody asks the door */
    char public[LINK_KEY_CHARS + 1];
    int yes = 1;

    if (link_key_public(key, public) != 0 ||
        zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public, sizeof public) != 0 ||
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, key, LINK_KEY_CHARS + 1) != 0)
        return -EINVAL;
    if (!server)
        return zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, public, sizeof public) == 0 ? 0
                                                                                       : -EINVAL;
    if (zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &yes, sizeof yes) != 0 ||
        zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, domain, sizeof domain - 1) != 0)
        return -EINVAL;
    return 0;
}
