#!/bin/bash
# make bench: each stage against a raw limit of the same run, then the whole pipeline.
set -euo pipefail
cd "$(dirname "$0")/../.."
D=$(mktemp -d)
PGBIN=$(echo /usr/lib/postgresql/*/bin | awk '{print $NF}')
as_user=()
[ "$(id -u)" != 0 ] || as_user=(setpriv --reuid postgres --regid postgres --clear-groups)
trap '"${as_user[@]}" "$PGBIN/pg_ctl" -D "$D/pg/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$D"' EXIT

mkdir "$D/pg"
chmod 755 "$D"
[ "$(id -u)" != 0 ] || chown postgres "$D/pg"
"${as_user[@]}" "$PGBIN/initdb" -D "$D/pg/data" -A trust -U bench >/dev/null
"${as_user[@]}" "$PGBIN/pg_ctl" -D "$D/pg/data" -w -l "$D/pg/log" -o "-k $D/pg -c listen_addresses=" start >/dev/null
"$PGBIN/psql" -q -h "$D/pg" -U bench postgres -c 'CREATE DATABASE smartmeter'
BENCH_POSTGRESQL="postgresql://bench@/smartmeter?host=$D/pg" build/test/bench
