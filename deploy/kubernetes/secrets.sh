#!/bin/sh
# secrets.sh home|fleet [FOLDER]: make the files that secrets/home or secrets/fleet is made of, those that are
# missing, at random. The meter's key (home) is asked for. FOLDER: another one that holds such a kustomization.yaml.
set -eu
case "${1:-}" in home | fleet) ;; *)
    echo "usage: secrets.sh home|fleet [FOLDER]" >&2
    exit 64
    ;;
esac
cd "${2:-$(dirname "$0")/secrets/$1}"
umask 077

random() { tr -dc 'A-Za-z0-9' </dev/urandom | head -c "$1"; }
make() { [ -s "$1" ] || random "$2" >"$1"; }

for file in $(sed -n 's/.*files: \[//p' kustomization.yaml | grep -o '=[a-z-]*' | tr -d = | grep -vxE 'smartmeter-key|stream-key'); do
    make "$file" 32
done
make stream-key 40 # letters and digits are a Z85 key, as `zaehlwerk keygen` makes them
if [ "$1" = home ] && [ ! -s smartmeter-key ]; then
    [ ! -t 0 ] || printf 'key of the meter, 32 hex digits: ' >&2
    read -r key
    printf %s "$key" >smartmeter-key
fi
echo "made: $(pwd)"
