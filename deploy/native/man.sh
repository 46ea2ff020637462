#!/bin/sh
# man.sh PROGRAM TEXT: the manual page of a service, mdoc on standard output. Its name, options and
# settings are what PROGRAM --help says and what its unit sets, so that no page leaves one out. TEXT
# (deploy/man/NAME.mdoc) tells what it does, and its files.
set -eu

name=$(basename "$1")
text=$2
help=$("$1" --help)
unit=$(dirname "$0")/../systemd/zaehlwerk-$name.service

# list MACRO: of "NAME  meaning [default]" a line, on standard input
list() {
    printf '.Bl -tag -width Ds\n'
    sed -E 's/\\/\\e/g; s/ +\[([^]]*)\]$/\n.Pq \1/; s/^  ([^ ]+( [^ ]+)*)  +/.It \1\n\\\&/' |
        sed -E "/^\.It/{s/^\.It --([^ ]+) /.It Fl -\1 Ar /; s/^\.It --/.It Fl -/; t; s/^\.It/.It $1/}"
    printf '.El\n'
}

cat <<END
.Dd November 24, 2026
.Dt ZAEHLWERK-$(printf %s "$name" | tr '[:lower:]' '[:upper:]') 8
.Os
.Sh NAME
.Nm zaehlwerk-$name
.Nd $(printf '%s\n' "$help" | sed -n '1s/^[^:]*: //p')
.Sh SYNOPSIS
.Pa libexec/zaehlwerk/$name
END
case $help in
*--check-config*) printf '.Op Fl -help | -version | -check-config\n' ;;
*) printf '.Op Ar OPTION ...\n' ;;
esac
sed '/^\.Sh FILES/,$d' "$text"
if printf '%s\n' "$help" | grep -q '^  --.*  '; then
    printf '.Sh OPTIONS\n'
    printf '%s\n' "$help" | grep '^  --.*  ' | list Fl
fi
printf '.Sh ENVIRONMENT\nSettings; instead of any of them\n.Ev NAME_FILE\nmay name a file that holds the value.\nDefaults stand in parentheses.\n'
printf '%s\n' "$help" | grep -E '^  [A-Z][A-Z_]+  ' | list Ev
if [ -f "$unit" ]; then
    printf '.Pp\n.Pa zaehlwerk-%s.service\ntakes them from\n.Pa /etc/zaehlwerk/server.env .\n' "$name"
    printf 'What is not set there is as above, but for\n.Bd -literal -offset indent\n'
    sed -n 's/^Environment=//p' "$unit"
    printf '.Ed\n'
fi
sed -n '/^\.Sh FILES/,$p' "$text"
[ -f "$unit" ] || exit 0
cat <<END
.Sh EXIT STATUS
.Bl -tag -width Ds
.It 0
Ended by SIGTERM, SIGINT or SIGHUP; or what was asked for is done.
.It 64
Wrong arguments.
.It 69
What it needs for itself alone is taken: an address, a journal.
.It 70
Out of memory, or a fault; the last line tells.
.It 75
Not now: the same may succeed later.
.It 78
A setting is wrong; a line names it.
systemd does not start it again then.
.El
.Sh SEE ALSO
.Xr journalctl 1 ,
.Xr zaehlwerk 1 ,
.Xr zaehlwerk-admin 8
END
