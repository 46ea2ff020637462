#!/bin/sh
# A certificate authority of one's own and certificates from it, for MQTT over TLS (README.md).
#
#   tls.sh FOLDER server NAME...   ca.crt, and server.crt with server.key for these names and addresses
#   tls.sh FOLDER client USER      USER.crt and USER.key, whose common name is the broker's user name
#
# The authority (ca.crt, ca.key) is made the first time and kept: only ca.crt leaves this machine.
set -eu
umask 077

usage() {
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 64
}
[ $# -ge 3 ] || usage
folder=$1 kind=$2
shift 2
days=${TLS_DAYS:-825}
mkdir -p "$folder"
cd "$folder"

# issue NAME COMMON_NAME EXTENSIONS: NAME.key and NAME.crt, signed by the authority.
issue() {
    printf '%s\nbasicConstraints=critical,CA:FALSE\nauthorityKeyIdentifier=keyid\n' "$3" >"$1.ext"
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout "$1.key.new" -subj "/CN=$2" -out "$1.csr" 2>/dev/null
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -days "$days" -extfile "$1.ext" -out "$1.crt.new" 2>/dev/null
    [ ! -e "$1.key" ] || chown "$(stat -c %u:%g "$1.key")" "$1.key.new" # the next one is the broker's, too
    mv "$1.key.new" "$1.key"
    mv "$1.crt.new" "$1.crt"
    chmod 644 "$1.crt"
    rm "$1.csr" "$1.ext"
    echo "$folder/$1.crt: $2, until $(openssl x509 -in "$1.crt" -noout -enddate | cut -d= -f2)"
}

if [ ! -f ca.key ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout ca.key -out ca.crt -days 3650 \
        -subj "/CN=Zählwerk broker CA" -utf8 -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
    chmod 644 ca.crt
fi
case $kind in
server)
    names=
    for name in "$@"; do # an address is another kind of name than a host
        case $name in
        *:*) names="$names${names:+,}IP:$name" ;;
        *[!0-9.]*) names="$names${names:+,}DNS:$name" ;;
        *) names="$names${names:+,}IP:$name" ;;
        esac
    done
    issue server "$1" "subjectAltName=$names
extendedKeyUsage=serverAuth"
    ;;
client)
    [ $# = 1 ] || usage
    case $1 in ca | server | *[!A-Za-z0-9._-]* | .*) echo "tls.sh: no such user name: $1" >&2; exit 64 ;; esac
    issue "$1" "$1" "extendedKeyUsage=clientAuth"
    ;;
*) usage ;;
esac
