#!/bin/sh
# The broker of docker-compose.yml: home.conf with its users, who are known by hashed passwords only.
set -eu
umask 077
cat /run/zaehlwerk/passwords >/tmp/passwords
mosquitto_passwd -U /tmp/passwords
cat /etc/zaehlwerk/acl /run/zaehlwerk/acl >/tmp/acl # for the default topics, and for those of server.env
{
    cat /etc/zaehlwerk/home.conf
    cat <<END
listener 1883
allow_anonymous false
password_file /tmp/passwords
acl_file /tmp/acl
persistence_location /mosquitto/data/
log_dest stdout
log_type error
log_type warning
log_type notice
log_timestamp_format %Y-%m-%dT%H:%M:%SZ
END
} >/tmp/mosquitto.conf
exec mosquitto -c /tmp/mosquitto.conf
