#!/bin/bash
# What the entry point of the images `postgres` does, as far as docker-compose.yml needs it.
set -euo pipefail
cd /var/lib/postgresql/data
if [ ! -s PG_VERSION ]; then
    # shellcheck disable=SC2086
    initdb -D . -U postgres --pwfile="$POSTGRES_PASSWORD_FILE" -E UTF8 --no-locale $POSTGRES_INITDB_ARGS
    echo "host all all all scram-sha-256" >>pg_hba.conf
fi
exec postgres -D . -c listen_addresses='*'
