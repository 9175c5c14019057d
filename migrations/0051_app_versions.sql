-- Which binaries may run on this schema. It serves more than one version of them: a file only adds (expand), and a later version's file takes away
-- what nobody needs who still runs (contract). Locks nothing that anybody waits for.

-- What was applied last.
create function app.newest_version() returns bigint language sql stable security definer set search_path = pg_catalog, pg_temp
as 'select max(version) from app._sqlx_migrations where success';

-- The oldest binaries that may run, by the last file that they were built with. A file that takes something away replaces this function.
create function app.oldest_version() returns bigint language sql stable
return 50;

-- What binaries of 0050 ask, and they run where the answer is 50: as long as they are served it is.
create or replace function app.schema_version() returns bigint language sql stable
return app.oldest_version();

grant execute on function app.newest_version, app.oldest_version to public;
