#!/bin/sh
# deb.sh: the Debian package of what is built, build/zaehlwerk_VERSION_ARCHITECTURE.deb. Everything for
# it is put together in build/deb. VERSION comes from the environment.
set -eu
cd "$(dirname "$0")/../.."

work=build/deb/zaehlwerk
rm -rf build/deb
mkdir -p "$work"
cp -r deploy/debian "$work/debian"
# The package's own words for where its settings are.
# shellcheck disable=SC2016 # no expansion is meant
sed '1,2c\
# The settings of all services: zaehlwerk-NAME(8), /usr/share/doc/zaehlwerk/deploy/native/README.md.\
# After a change: systemctl restart zaehlwerk.target. Values may stand in quotes; in "..." and without\
# quotes a backslash must be doubled. Any secret may be given as NAME_FILE=/path instead.' \
    server.env.example | sed 's|var/db/zaehlwerk.sqlite under `make run`|/var/lib/zaehlwerk/zaehlwerk.sqlite|' >"$work/server.env"
date=$(date -R -u ${SOURCE_DATE_EPOCH:+-d "@$SOURCE_DATE_EPOCH"})
cat >"$work/debian/changelog" <<END
zaehlwerk ($VERSION) bookworm; urgency=medium

  * What is new stands in /usr/share/doc/zaehlwerk/CHANGELOG.md.

 -- $(sed -n 's/^Maintainer: //p' deploy/debian/control)  $date
END

export TREE="$PWD" DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:-noautodbgsym}"
(cd "$work" && dpkg-buildpackage --build=binary --no-sign --no-check-builddeps) >build/deb/log 2>&1 || {
    cat build/deb/log >&2
    exit 1
}
deb=$(find build/deb -maxdepth 1 -name '*.deb')
mv "$deb" build/
echo "build/${deb##*/}"
