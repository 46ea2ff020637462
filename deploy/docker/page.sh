#!/bin/sh
# page.sh: what `npm ci` leaves in build/npm/dashboard, without npm: Debian's is 400 packages, and
# Node.js does not run under every emulator. Version and digest are those of package-lock.json.
# EXTRA_CA: certificates (PEM) to trust besides Debian's.
set -eu

lock=services/dashboard/package-lock.json
to=build/npm/dashboard
bundle=$(mktemp)
{ cat /etc/ssl/certs/ca-certificates.crt && printf '%s\n' "${EXTRA_CA:-}"; } >"$bundle"
jq -r '.packages | to_entries[] | select(.key != "") | "\(.key) \(.value.version) \(.value.integrity)"' "$lock" |
    while read -r folder version integrity; do
        name=${folder##*node_modules/}
        mkdir -p "$to/$folder"
        curl -fsSL --retry 3 --cacert "$bundle" -o "$bundle.tgz" "https://registry.npmjs.org/$name/-/${name##*/}-$version.tgz"
        digest="sha512-$(openssl dgst -sha512 -binary "$bundle.tgz" | base64 -w0)"
        [ "$digest" = "$integrity" ] || { echo "page.sh: $name $version is not what $lock says" >&2; exit 1; }
        tar -xzf "$bundle.tgz" -C "$to/$folder" --strip-components=1 --no-same-owner
    done
rm -f "$bundle" "$bundle.tgz"
cp "$lock" "$to/.lock"
