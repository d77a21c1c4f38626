#!/bin/bash
# Makes the database at the first start, as the official image promises it, then runs the server.
set -euo pipefail
PGDATA=${PGDATA:-/var/lib/postgresql/data}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    # shellcheck disable=SC2086  # options, separated by spaces
    initdb --pgdata="$PGDATA" --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") --auth-host=scram-sha-256 --auth-local=trust ${POSTGRES_INITDB_ARGS:-}
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
    pg_ctl --pgdata="$PGDATA" --options="-c listen_addresses=''" --wait start
    as_owner=(psql --no-psqlrc --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER")
    [ "$POSTGRES_DB" = postgres ] || "${as_owner[@]}" --dbname=postgres --command="create database \"$POSTGRES_DB\""
    for script in /docker-entrypoint-initdb.d/*.sql; do
        [ ! -e "$script" ] || "${as_owner[@]}" --dbname="$POSTGRES_DB" --file="$script"
    done
    pg_ctl --pgdata="$PGDATA" --mode=fast --wait stop
fi
exec "$@" -D "$PGDATA" -c listen_addresses='*'
