-- The database and its two roles, with no more rights than each needs. For psql (15 or newer), as a superuser;
-- may be run again at any time, also over a database that another role has filled (stop db-writer then).
--
--   psql -d postgres -f roles.sql -v writer_password=... -v dashboard_password=...
--
-- Passwords: the two variables, or files named by WRITER_PASSWORD_FILE and DASHBOARD_PASSWORD_FILE in psql's
-- environment; with neither a role keeps the password that it has, or has none. Others: -v database=smartmeter,
-- -v schema=smartmeter (SMARTMETER_DB_SCHEMA).
\set ON_ERROR_STOP on
\set QUIET on
\pset tuples_only on
\if :{?database}
\else
    \set database smartmeter
\endif
\if :{?schema}
\else
    \set schema smartmeter
\endif
\if :{?writer_password}
\else
    \set writer_password `test -z "$WRITER_PASSWORD_FILE" || cat -- "$WRITER_PASSWORD_FILE" || echo unreadable >&2`
\endif
\if :{?dashboard_password}
\else
    \set dashboard_password `test -z "$DASHBOARD_PASSWORD_FILE" || cat -- "$DASHBOARD_PASSWORD_FILE" || echo unreadable >&2`
\endif
-- A file that cannot be read must not pass for "no password".
\set wrong `for f in "$WRITER_PASSWORD_FILE" "$DASHBOARD_PASSWORD_FILE"; do test -z "$f" || test -s "$f" || echo "$f"; done`
SELECT :'wrong' <> '' AS is_wrong \gset
\if :is_wrong
    \warn roles.sql: no password in :wrong
    DO $$ BEGIN RAISE 'a password file is empty or cannot be read'; END $$;
\endif

SELECT format('CREATE DATABASE %I', :'database')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
\connect :"database"

-- No password in the server's log.
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
SET client_min_messages = 'warning';

SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY['zaehlwerk_writer', 'zaehlwerk_dashboard']) AS name
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE zaehlwerk_writer LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE zaehlwerk_dashboard LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
SELECT format('ALTER ROLE %I PASSWORD %L', name, password)
  FROM (VALUES ('zaehlwerk_writer', :'writer_password'), ('zaehlwerk_dashboard', :'dashboard_password')) AS p (name, password)
 WHERE password <> '' \gexec

-- Who is not named here has no business in this database.
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO zaehlwerk_writer, zaehlwerk_dashboard;
GRANT USAGE ON SCHEMA public TO zaehlwerk_writer, zaehlwerk_dashboard; -- where extensions have their functions

-- Only a superuser can make the extension, and only where the server has loaded its library.
SELECT 'CREATE EXTENSION IF NOT EXISTS timescaledb'
 WHERE EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
   AND 'timescaledb' = ANY (string_to_array(replace(current_setting('shared_preload_libraries'), ' ', ''), ',')) \gexec

-- The writer owns the schema and all in it, also what another role has made there before.
SELECT format('CREATE SCHEMA %I', :'schema') WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = :'schema') \gexec
ALTER SCHEMA :"schema" OWNER TO zaehlwerk_writer;
SELECT format('ALTER TABLE %s OWNER TO zaehlwerk_writer', c.oid::regclass)
  FROM pg_class c
 WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = :'schema') AND c.relkind IN ('r', 'p', 'v')
   AND c.relowner <> (SELECT oid FROM pg_roles WHERE rolname = 'zaehlwerk_writer') \gexec
SELECT format('ALTER DOMAIN %s OWNER TO zaehlwerk_writer', oid::regtype)
  FROM pg_type WHERE typnamespace = (SELECT oid FROM pg_namespace WHERE nspname = :'schema') AND typtype = 'd' \gexec
REVOKE ALL ON SCHEMA :"schema" FROM PUBLIC;

-- The dashboard reads what is there and what later versions will make.
GRANT USAGE ON SCHEMA :"schema" TO zaehlwerk_dashboard;
GRANT SELECT ON ALL TABLES IN SCHEMA :"schema" TO zaehlwerk_dashboard;
ALTER DEFAULT PRIVILEGES FOR ROLE zaehlwerk_writer IN SCHEMA :"schema" GRANT SELECT ON TABLES TO zaehlwerk_dashboard;
ALTER ROLE zaehlwerk_dashboard IN DATABASE :"database" SET default_transaction_read_only = on;
