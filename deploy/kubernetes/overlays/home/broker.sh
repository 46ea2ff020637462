#!/bin/sh
# The broker's configuration, access list and password file, made anew at each start from ConfigMaps and the Secret.
set -eu
umask 077
cat /etc/broker/shipped/home.conf /etc/broker/own/broker.conf >/run/mosquitto/mosquitto.conf
cat /etc/broker/shipped/acl >/run/mosquitto/acl
for user in ingest publisher receiver home; do
    printf '%s:%s\n' "$user" "$(cat "/run/secrets/mqtt/$user")"
done >/run/mosquitto/passwd
mosquitto_passwd -U /run/mosquitto/passwd # hashes them in place
