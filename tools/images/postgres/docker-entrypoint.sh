#!/bin/sh
# Makes the database at the first start: in a folder beside its own, renamed when it is whole, so that a kill in the
# middle leaves nothing that a later start would take for a database. The password goes by a file, never by a command
# line.
set -eu
umask 077
case "${1:-}" in -*) set -- postgres "$@" ;; esac
[ "${1:-}" = postgres ] || exec "$@"

if [ "$(id -u)" = 0 ]; then
  echo "error: PostgreSQL does not run as root: use the user postgres (999)" >&2
  exit 1
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then POSTGRES_PASSWORD="$(cat "$POSTGRES_PASSWORD_FILE")"; fi
  if [ -z "${POSTGRES_PASSWORD:-}" ]; then
    echo "error: the database does not exist yet and POSTGRES_PASSWORD is not set" >&2
    exit 1
  fi
  user="${POSTGRES_USER:-postgres}"
  db="${POSTGRES_DB:-$user}"
  new="$PGDATA.new"
  rm -rf "$new"
  mkdir -p "$(dirname "$PGDATA")"
  password="$(mktemp)"
  printf '%s\n' "$POSTGRES_PASSWORD" > "$password"
  initdb -D "$new" -U "$user" --pwfile="$password" --auth-local=trust --auth-host=scram-sha-256 \
    --encoding=UTF8 --locale=C.UTF-8
  rm -f "$password"
  printf '\nhost all all all scram-sha-256\n' >> "$new/pg_hba.conf"
  if [ "$db" != postgres ]; then
    quoted="$(printf '%s' "$db" | sed 's/"/""/g')"
    printf 'CREATE DATABASE "%s"\n' "$quoted" | postgres --single -j -D "$new" postgres > /dev/null
  fi
  sync
  if [ -d "$PGDATA" ]; then rmdir "$PGDATA"; fi
  mv "$new" "$PGDATA"
  sync
fi
unset POSTGRES_PASSWORD
exec "$@"
