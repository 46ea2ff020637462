#!/bin/sh
# The one-shot service `init` of docker-compose.yml, and its commands (deploy/docker/COMPOSE.md):
#
#   init.sh            makes the secrets that are missing, and hands each service those that it needs,
#                      with the secrets and addresses of server.env, as files in a volume of its own
#   init.sh passwords  prints those that people type: of the receiver at the meter, of whatever in the
#                      house reads values (Home Assistant, evcc), of Grafana
#   init.sh keys       takes a keys file (SMARTMETER_KEYS_FILE) from stdin
#
# Volumes lie under /secrets: `made` holds what was made here, one file a secret, and only root reads
# it; /secrets/SERVICE is mounted into that service alone. Status 78: a setting is wrong.
set -eu
umask 077

ROOT=${SECRETS_ROOT:-/secrets}
OURS=10001 MOSQUITTO=1883 POSTGRES=70 GRAFANA=472 # users of the images

wrong() { # VARIABLE WHAT RIGHT, as every service of ours says it
    echo "level=error svc=init event=config variable=$1 wrong=\"$2\" right=\"$3\"" >&2
    exit 78
}

# secret NAME COMMAND: print the secret; COMMAND makes it at the first time.
secret() {
    local_file=$ROOT/made/$1
    shift
    if [ ! -s "$local_file" ]; then
        "$@" >"$local_file.new"
        [ -s "$local_file.new" ] || { echo "init: $* gave nothing" >&2; exit 70; }
        sync "$local_file.new"
        mv "$local_file.new" "$local_file"
    fi
    cat "$local_file"
}
password() { # 32 characters, 192 bits, none that a shell, a URL or a quoted string would mind
    head -c 24 /dev/urandom | base64 | tr '+/' '-_'
}

# give SERVICE USER NAME: what comes on stdin becomes that service's file, which only USER may read.
give() {
    folder=$ROOT/$1
    [ "$(stat -c %u "$folder")" != 0 ] || { chmod 700 "$folder" && chown "$2:$2" "$folder"; }
    rm -f "$folder/.new"
    cat >"$folder/.new"
    chmod 400 "$folder/.new"
    chown "$2:$2" "$folder/.new"
    mv "$folder/.new" "$folder/$3"
}
put() { # SERVICE USER NAME VALUE
    printf '%s\n' "$4" | give "$1" "$2" "$3"
}

# What cannot be of use in a container: files of the host, and what docker-compose.yml itself decides.
unfit() {
    inner=$(env | sed -n -E 's/^(HTTP_LISTEN|JOURNAL_PATH|STATUS_URLS|[A-Z]+_(BIND|CONNECT))=..*/\1/p' | head -n 1)
    [ -z "$inner" ] || wrong "$inner" "set in server.env" "unset: docker-compose.yml wires the services"
    for name in SMARTMETER_KEY SMARTMETER_AUTHENTICATION_KEY MQTT_PASSWORD DB_PASSWORD DB_URL DASHBOARD_PASSWORD; do
        eval "path=\${${name}_FILE:-}"
        [ -z "$path" ] || wrong "${name}_FILE" "a file of the host, which no container sees" "$name with the value itself"
    done
    for name in MQTT_CA_FILE MQTT_CERT_FILE MQTT_CERT_KEY_FILE PGSSLROOTCERT PGSSLCERT PGSSLKEY; do
        eval "path=\${$name:-}"
        case $path in '' | /etc/zaehlwerk/tls/*) ;; *)
            wrong "$name" "a file of the host, which no container sees" "/etc/zaehlwerk/tls/NAME, for a file in the folder tls beside docker-compose.yml"
            ;;
        esac
    done
    [ -z "${SMARTMETER_KEYS_FILE:-}" ] || wrong SMARTMETER_KEYS_FILE "a file of the host, which no container sees" \
        "unset; hand the file over: docker compose run --rm -T init keys <keys.csv"
}

# The broker: ours, unless deploy/docker/own-broker.yml says that MQTT_HOST is another one.
broker() {
    case ${MQTT_HOST:-} in
    '' | localhost | 127.0.0.1 | ::1 | mosquitto) host=mosquitto ;;
    *) host=$MQTT_HOST ;;
    esac
    if [ -n "${OWN_BROKER:-}" ]; then
        [ "$host" != mosquitto ] || wrong MQTT_HOST "${MQTT_HOST:-missing}" \
            "the name of your broker; host.docker.internal for one on this machine"
        for s in mqtt-ingest publisher meter-sim admin; do
            reach "$s" "$host" "${MQTT_PORT:-1883}" "${MQTT_USER:-}" "${MQTT_PASSWORD:-}"
        done
        return
    fi
    case ${MQTT_TLS:-} in '' | 0) ;; *)
        wrong MQTT_TLS "$MQTT_TLS, which the broker that comes along does not speak to the services" \
            "unset, or a broker of your own with -f deploy/docker/own-broker.yml"
        ;;
    esac
    [ "$host" = mosquitto ] || wrong MQTT_HOST "$host, a broker outside" \
        "unset, for the broker that comes along; or use -f deploy/docker/own-broker.yml"
    reach mqtt-ingest mosquitto 1883 ingest "$(secret broker-ingest password)"
    reach admin mosquitto 1883 ingest "$(secret broker-ingest password)"
    reach publisher mosquitto 1883 publisher "$(secret broker-publisher password)"
    reach meter-sim mosquitto 1883 receiver "$(secret broker-receiver password)"
    for user in ingest publisher receiver home; do
        printf '%s:%s\n' "$user" "$(secret "broker-$user" password)"
    done | give mosquitto $MOSQUITTO passwords
    access | give mosquitto $MOSQUITTO acl
}
# Who may do what with the topics that server.env names; deploy/mosquitto/acl has the default ones.
access() {
    raw=${SMARTMETER_RAWDATA_MQTT_TOPIC:-sensors/smartmeter}
    values=$(echo "${SMARTMETER_VALUES_MQTT_TOPIC:-sensors/smartmeter/values}" | sed -E 's/[^/]*\{[^/]*/+/g')
    status=${PUBLISHER_STATUS_TOPIC:-zaehlwerk/publisher/status}
    house=${HA_DISCOVERY_PREFIX:-homeassistant}
    echo user ingest
    echo "$raw" | tr ',' '\n' | sed 's/^ */topic readwrite /'
    printf '\nuser receiver\n'
    echo "$raw" | tr ',' '\n' | sed 's/^ */topic write /'
    printf '\nuser publisher\n'
    printf 'topic write %s\n' "$values/#" "$status" "$house/device/+/config"
    printf 'topic read %s\n' "$values/totals" "$house/status"
    printf '\nuser home\n'
    printf 'topic read %s\n' "$values/#" "$status" "$house/#"
    printf 'topic write %s\n' "$house/status"
}
reach() { # SERVICE HOST PORT USER PASSWORD
    put "$1" $OURS mqtt_host "$2"
    put "$1" $OURS mqtt_port "$3"
    put "$1" $OURS mqtt_user "$4"
    put "$1" $OURS mqtt_password "$5"
}

# The database: ours, unless deploy/docker/own-database.yml says that server.env names another one.
database() {
    if [ -n "${OWN_DATABASE:-}" ]; then
        [ -n "${DB_URL:-}${DB_HOST:-}" ] || wrong DB_HOST missing "your database's host, or DB_URL"
        case ${DB_HOST:-} in
        localhost | 127.0.0.1 | ::1) wrong DB_HOST "$DB_HOST, which is the container itself" \
            "host.docker.internal for a database on this machine" ;;
        esac
        for s in db-writer dashboard admin; do
            connect "$s" "${DB_URL:-}" "${DB_HOST:-}" "${DB_PORT:-}" "${DB_NAME:-}" "${DB_USER:-}" "${DB_PASSWORD:-}"
        done
        put grafana $GRAFANA dashboard_db_password "${DB_PASSWORD:-}"
        return
    fi
    [ -z "${DB_URL:-}${DB_HOST:-}" ] || wrong "$([ -n "${DB_HOST:-}" ] && echo DB_HOST || echo DB_URL)" "a database outside" \
        "unset, for the TimescaleDB that comes along; or use -f deploy/docker/own-database.yml"
    connect db-writer '' timescaledb 5432 smartmeter zaehlwerk_writer "$(secret db-writer password)"
    connect admin '' timescaledb 5432 smartmeter zaehlwerk_writer "$(secret db-writer password)"
    connect dashboard '' timescaledb 5432 smartmeter zaehlwerk_dashboard "$(secret db-dashboard password)"
    put timescaledb $POSTGRES superuser "$(secret db-superuser password)"
    put roles $POSTGRES writer "$(secret db-writer password)"
    put roles $POSTGRES dashboard "$(secret db-dashboard password)"
    put grafana $GRAFANA dashboard_db_password "$(secret db-dashboard password)"
}
connect() { # SERVICE URL HOST PORT NAME USER PASSWORD
    put "$1" $OURS db_url "$2"
    put "$1" $OURS db_host "$3"
    put "$1" $OURS db_port "$4"
    put "$1" $OURS db_name "$5"
    put "$1" $OURS db_user "$6"
    put "$1" $OURS db_password "$7"
}

# The meters' keys: a file that was handed over (`keys`), else the one that meter-sim writes. It names
# no real meter until that is there: then telegrams become the reject no-key, and can be replayed.
meters() {
    put decryptor $OURS smartmeter_key "${SMARTMETER_KEY:-}"
    put decryptor $OURS smartmeter_authentication_key "${SMARTMETER_AUTHENTICATION_KEY:-}"
    [ "$(stat -c %u "$ROOT/demo")" != 0 ] || { chmod 700 "$ROOT/demo" && chown "$OURS:$OURS" "$ROOT/demo"; }
    if [ ! -s "$ROOT/demo/keys.csv" ]; then
        printf 'system_title,key\n0000000000000000,%s\n' "$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')" |
            give demo $OURS keys.csv
    fi
    [ -e "$ROOT/decryptor/keys.csv" ] || ln -sf /run/demo/keys.csv "$ROOT/decryptor/keys.csv"
    [ -n "${SMARTMETER_KEY:-}" ] || [ ! -L "$ROOT/decryptor/keys.csv" ] ||
        echo "level=warn svc=init event=keys reason=\"no SMARTMETER_KEY in server.env: only simulated meters can be read\"" >&2
}

# The page: nobody needs to sign in where only this machine reaches it.
page() {
    case ${PAGE:-} in
    127.* | localhost:* | '[::1]:'*) put dashboard $OURS dashboard_local 1 ;;
    *)
        [ -n "${DASHBOARD_PASSWORD:-}" ] || wrong DASHBOARD_LISTEN "$PAGE: others reach it, and anybody could look" \
            "DASHBOARD_PASSWORD in server.env, or 127.0.0.1:8080"
        put dashboard $OURS dashboard_local 0
        ;;
    esac
    put dashboard $OURS dashboard_password "${DASHBOARD_PASSWORD:-}"
}

everything() {
    unfit
    for s in broker-ingest broker-publisher broker-receiver broker-home db-superuser db-writer db-dashboard grafana-admin; do
        secret $s password >/dev/null # a failure ends all here; within $(...) it would not
    done
    secret streams zaehlwerk keygen >/dev/null
    broker
    database
    meters
    page
    for s in mqtt-ingest serial-ingest decryptor db-writer debouncer publisher dashboard admin; do
        put "$s" $OURS stream_key "$(secret streams zaehlwerk keygen)"
    done
    put admin $OURS import_db_password "${IMPORT_DB_PASSWORD:-}"
    put grafana $GRAFANA grafana_admin_password "$(secret grafana-admin password)"
    echo "level=info svc=init event=done secrets=\"$(cd "$ROOT/made" && echo ./* | sed 's|\./||g')\"" >&2
}

case ${1:-everything} in
everything) everything ;;
passwords)
    printf '%-9s %-9s %s\n' broker receiver "$(secret broker-receiver password)" \
        broker home "$(secret broker-home password)" grafana admin "$(secret grafana-admin password)"
    ;;
keys) give decryptor $OURS keys.csv ;;
*)
    echo "usage: init [passwords | keys <FILE]" >&2
    exit 64
    ;;
esac
