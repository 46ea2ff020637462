#!/bin/bash
# make run: the whole system on this machine, each service supervised by runit with a log of its own.
#
# With a server.env: the broker, key and database named there. Without: a demo with a broker of its
# own and four simulated meters. Everything it starts ends with it.
set -euo pipefail
cd "$(dirname "$0")/../.."

ROOT=$PWD
VAR=${ZAEHLWERK_VAR:-$ROOT/var}
BIN=${ZAEHLWERK_BIN:-$ROOT/build/bin}
RUN=$(mktemp -d "${TMPDIR:-/tmp}/zaehlwerk.XXXXXX") # sockets: their paths must be short
SV=$RUN/service
LOG=$VAR/log
mkdir -p "$SV" "$LOG" "$VAR/db"
# One `make run` per folder of data.
exec 9>"$VAR/lock"
flock -n 9 || { echo "another \`make run\` uses $VAR" >&2; rm -rf "$RUN"; exit 69; }

supervisor=
tail=
stop() {
    trap '' INT TERM HUP
    exec >/dev/null 2>&1 || true # the terminal may be gone
    if [ -n "$tail" ]; then
        kill "$tail" || true
        wait "$tail" || true
    fi
    if [ -n "$supervisor" ]; then
        for _ in $(seq 20); do # runsvdir ends its runsv, each of them its service
            kill -HUP "$supervisor" || break
            sleep 0.5
        done
        wait "$supervisor" || true
        # runsvdir does not wait for them: the locks tell when they are gone.
        for _ in $(seq 150); do
            alive=
            for d in "$SV"/*; do
                case "$(sv status "$d" 2>/dev/null || true)" in run:* | down:* | finish:*) alive=1 ;; esac
            done
            [ -n "$alive" ] || break
            sleep 0.1
        done
    fi
    rm -rf "$RUN"
}
trap stop EXIT
trap 'exit 0' INT TERM HUP

# service NAME COMMAND: one supervised process; its stderr goes to var/log/NAME/current. The
# environment is a file each, so that a secret never shows in a process list.
service() {
    local name=$1
    shift
    mkdir -p "$SV/.$name/log" "$LOG/$name"
    {
        printf '#!/bin/sh\nexec 2>&1 9>&-\n'
        printf 'cd %q\n' "$ROOT"
        for pair in "${settings[@]}"; do export_line "$pair"; done
        printf 'exec %s\n' "$*"
    } >"$SV/.$name/run"
    printf '#!/bin/sh\nexec 9>&-\nexec svlogd %q\n' "$LOG/$name" >"$SV/.$name/log/run"
    printf 's10000000\nn5\n' >"$LOG/$name/config"
    chmod 700 "$SV/.$name/run" "$SV/.$name/log/run"
    mv "$SV/.$name" "$SV/$name"
    started="$started $name"
}
export_line() { # NAME=VALUE, for sh
    local value=${1#*=} apostrophe="'\\''"
    printf "export %s='%s'\n" "${1%%=*}" "${value//\'/"$apostrophe"}"
}
free_port() { # a TCP port nobody listens on
    local port
    for _ in $(seq 100); do
        port=$(shuf -i 15000-32000 -n 1) # below the kernel's own choice for outgoing connections
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}

in_use() { # somebody listens on this port of this machine
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}
# health NAME PORT: the setting of a service's HTTP_LISTEN, as far as one is needed, in `own`, and its
# place in `status_urls`. HTTP_LISTEN=127.0.0.1:0 asks for any free port, which must be known here.
health() {
    local port=$2
    own=()
    case ${seen_HTTP_LISTEN:-} in
    '') ;;
    *:0) port=$(free_port) && own=("HTTP_LISTEN=127.0.0.1:$port") ;;
    *) return 0 ;;
    esac
    status_urls="$status_urls${status_urls:+,}$1=http://127.0.0.1:$port/readyz"
}

started=
status_urls=
common=()
if [ -f server.env ]; then
    mode="the settings of server.env"
    while IFS= read -r line || [ -n "$line" ]; do
        line=${line%$'\r'}
        case $line in '' | '#'*) continue ;; esac
        line=${line#export }
        [[ $line =~ ^[A-Za-z_][A-Za-z_0-9]*= ]] || { echo "server.env: not NAME=value: ${line%%=*}" >&2; exit 78; }
        value=${line#*=}
        if [[ $value =~ ^\"(.*)\"$ || $value =~ ^\'(.*)\'$ ]]; then value=${BASH_REMATCH[1]}; fi
        common+=("${line%%=*}=$value")
        declare "seen_${line%%=*}=$value"
    done <server.env
    [ -n "${seen_DB_URL:-}${seen_DB_URL_FILE:-}${seen_DB_HOST:-}" ] || common+=("DB_URL=sqlite:$VAR/db/zaehlwerk.sqlite")
    data=${seen_DB_HOST:-$VAR/db/zaehlwerk.sqlite}
    [ -z "${seen_DB_URL:-}" ] || data="the database of DB_URL"
    broker="${seen_MQTT_HOST:-localhost}:${seen_MQTT_PORT:-1883}"
    values=${seen_SMARTMETER_VALUES_MQTT_TOPIC:-sensors/smartmeter/values}
else
    mode="a demo: four simulated meters, a broker of its own (write a server.env for your own meter)"
    port=$(free_port)
    mkdir -p "$VAR/mosquitto"
    {
        cat deploy/mosquitto/home.conf
        printf 'listener %s 127.0.0.1\nallow_anonymous true\npersistence_location %s/\nlog_dest stderr\nlog_timestamp_format %%Y-%%m-%%dT%%H:%%M:%%SZ\n' \
            "$port" "$VAR/mosquitto"
        [ "$(id -u)" != 0 ] || echo "user root"
    } >"$VAR/mosquitto/mosquitto.conf"
    data=$VAR/db/demo.sqlite
    values='sensors/smartmeter/values/{meter}'
    broker="localhost:$port"
    common=(MQTT_HOST=127.0.0.1 "MQTT_PORT=$port" 'SMARTMETER_RAWDATA_MQTT_TOPIC=sensors/smartmeter/raw/+'
        "SMARTMETER_VALUES_MQTT_TOPIC=$values" "SMARTMETER_KEYS_FILE=$VAR/demo-keys.csv" "DB_URL=sqlite:$data" "JOURNAL_PATH=$VAR/db/demo-ingest"
        HTTP_LISTEN=127.0.0.1:0) # any free port: each log names it
    seen_HTTP_LISTEN=127.0.0.1:0
    PATH=$PATH:/usr/sbin # where mosquitto is
    fleet="--meters 4 --model mixed --seed 1 --keys $(printf %q "$VAR/demo-keys.csv")"
    eval "$(printf %q "$BIN/meter-sim") $fleet --print --count 1 --speed 0" >/dev/null 2>&1 # the keys file
fi

# Say at once what is wrong with the user's own settings; a neighbour that is away is waited for.
if [ -f server.env ]; then
    status=0
    (
        for pair in "${common[@]}"; do export "${pair?}"; done
        "$BIN/dashboard" --check-config >/dev/null || exit
        exec "$BIN/zaehlwerk" check
    ) || status=$?
    [ "$status" != 78 ] || exit 78
fi

# The page: another port when the usual one is taken, as long as nobody chose it (in server.env, or the environment).
chosen=${seen_DASHBOARD_LISTEN:-${DASHBOARD_LISTEN:-}}
page=${chosen:-127.0.0.1:8080}
note=
if in_use "${page##*:}"; then
    if [ -n "$chosen" ]; then
        note="   (that port is in use: the page waits for it)"
    else
        page=127.0.0.1:$(free_port)
    fi
fi
case $page in '*:'* | '0.0.0.0:'* | '[::]:'*) url=http://$(uname -n):${page##*:} ;; *) url=http://$page ;; esac

ipc=ipc://$RUN
# Where consumers from outside connect, such as one's own: of server.env, or of the environment.
also=${seen_READINGS_BIND:-${READINGS_BIND:-}}
also=${also:+,$also}
settings=("${common[@]}")
if [ ! -f server.env ]; then
    service mosquitto mosquitto -c "$(printf %q "$VAR/mosquitto/mosquitto.conf")"
    service meter-sim "$BIN/meter-sim $fleet --interval 5 --topic 'sensors/smartmeter/raw/{meter}'"
fi
base=("${settings[@]}")
health mqtt-ingest 9101
settings=("JOURNAL_PATH=$VAR/db/ingest" "${base[@]}" "TELEGRAMS_BIND=$ipc/telegrams" "ACKS_CONNECT=$ipc/acks-db-writer,$ipc/acks-debouncer" "${own[@]}")
service mqtt-ingest "$BIN/mqtt-ingest"
telegrams=$ipc/telegrams
if [ -n "${seen_SERIAL_DEVICE:-}" ]; then
    health serial-ingest 9108
    settings=("JOURNAL_PATH=$VAR/db/serial" "${base[@]}" "TELEGRAMS_BIND=$ipc/telegrams-serial" "ACKS_CONNECT=$ipc/acks-db-writer,$ipc/acks-debouncer" "${own[@]}")
    service serial-ingest "$BIN/serial-ingest"
    telegrams=$telegrams,$ipc/telegrams-serial
fi
health decryptor 9102
settings=("${base[@]}" "TELEGRAMS_CONNECT=$telegrams" "STORE_BIND=$ipc/store-decryptor" "DEBOUNCE_BIND=$ipc/debounce" "READINGS_BIND=$ipc/readings$also" "${own[@]}")
service decryptor "$BIN/decryptor"
health debouncer 9104
settings=("${base[@]}" "DEBOUNCE_CONNECT=$ipc/debounce" "STORE_BIND=$ipc/store-debouncer" "ACKS_BIND=$ipc/acks-debouncer" "ACKS_CONNECT=$ipc/acks-db-writer" "${own[@]}")
service debouncer "$BIN/debouncer"
health db-writer 9103
settings=("${base[@]}" "STORE_CONNECT=$ipc/store-decryptor,$ipc/store-debouncer" "ACKS_BIND=$ipc/acks-db-writer" "${own[@]}")
service db-writer "$BIN/db-writer"
health publisher 9105
settings=("${base[@]}" "READINGS_CONNECT=$ipc/readings" "${own[@]}")
service publisher "$BIN/publisher"
urls=${status_urls:-off}
health dashboard 9106
settings=("STATUS_URLS=$urls" "${base[@]}" "READINGS_CONNECT=$ipc/readings" "DASHBOARD_LISTEN=$page" "${own[@]}")
service dashboard "$BIN/dashboard"

# For commands in another terminal: the settings of what runs here.
(
    umask 077
    for pair in "${base[@]}" "READINGS_CONNECT=$ipc/readings"; do export_line "$pair"; done >"$VAR/env.new"
    mv "$VAR/env.new" "$VAR/env"
)

# setsid: Ctrl-C must reach this script alone, which then stops everything in order.
# pdeathsig: if this script itself is killed, runsvdir gets the same signal as from stop().
setsid setpriv --pdeathsig HUP runsvdir -P "$SV" 9>&- >/dev/null 2>&1 &
supervisor=$!

cat <<END
Zählwerk runs with $mode
  page       $url$note
  services  $started
  broker     $broker   values on $values
  data       $data   (tables history, historydebounced, quarter_hour, rejects)
  logs       $LOG/SERVICE/current   (tail -F $LOG/*/current)
  commands   . $VAR/env   in another terminal, then build/bin/zaehlwerk tail, export, rejects ...
Ctrl-C ends everything. One line per reading:
END
(
    for pair in "${base[@]}" "READINGS_CONNECT=$ipc/readings"; do export "${pair?}"; done
    exec "$BIN/zaehlwerk" tail
) 9>&- &
tail=$!
# A hang-up may reach make alone, which waits for us: so look whether the terminal is still there.
terminal=
[ ! -t 1 ] || terminal=1
while kill -0 "$tail" 2>/dev/null && kill -0 "$supervisor" 2>/dev/null; do
    [ -z "$terminal" ] || [ -t 1 ] || break
    sleep 1 &
    wait $! || true
done
