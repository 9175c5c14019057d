//! Brings a database to the schema these binaries were built with. The migrations are inside the binary.

use sqlx::{
    Connection, PgConnection,
    migrate::{MigrateError, Migrator},
};

use crate::Error;

/// The migrations, embedded.
pub static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// How often a migration is tried that deadlocks with what runs beside it.
const TRIES: u32 = 20;

const BOOTSTRAP: &str = include_str!("../../ops/bootstrap.sql");

/// Creates the roles where the login is a superuser, then applies what is missing as the owner of the schema. Answers the version that the
/// schema has then: a newer one than these binaries know stays as it is.
pub async fn run(owner_url: &str) -> Result<i64, Error> {
    let mut conn = PgConnection::connect(owner_url).await?;
    let superuser: bool =
        sqlx::query_scalar("select rolsuper from pg_roles where rolname = current_user").fetch_one(&mut conn).await?;
    if superuser {
        sqlx::raw_sql(BOOTSTRAP).execute(&mut conn).await?;
    }
    let roles: i64 = sqlx::query_scalar(
        "select count(*) from pg_roles where rolname in ('paloma_owner', 'paloma_tenant', 'paloma_scoped', 'paloma_platform', 'paloma')",
    )
    .fetch_one(&mut conn)
    .await?;
    if roles < 5 {
        return Err(Error::Schema(
            "roles are missing: a superuser must run ops/bootstrap.sql of this version".to_owned(),
        ));
    }
    sqlx::raw_sql("set role paloma_owner; create schema if not exists app; set search_path = app; set client_min_messages = warning")
        .execute(&mut conn)
        .await?;
    let mut migrator = Migrator::with_migrations(MIGRATOR.iter().cloned().collect());
    // what later binaries have added is theirs
    migrator.set_ignore_missing(true);
    let mut tries = 0;
    loop {
        tries += 1;
        match migrator.run(&mut conn).await {
            Ok(()) => break,
            Err(MigrateError::VersionMismatch(version)) => return Err(changed(version)),
            // running processes lock tables in orders of their own; what met them head-on has changed nothing, and is applied again
            Err(error) if tries < TRIES && is_deadlock(&error) => {
                tracing::warn!(%error, "a migration met a running process and is tried again");
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(sqlx::query_scalar("select app.newest_version()").fetch_one(&mut conn).await?)
}

fn is_deadlock(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else { return false };
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "40P01")
}

fn changed(version: i64) -> Error {
    Error::Schema(format!(
        "this database was made with another text of the migration {version:04}. A file that has been part of a version is never changed \
         (docs/adding.md); a database of a development version is made anew (embedded: `paloma reset`)"
    ))
}

/// What is missing or foreign in the schema, in words; empty when it serves these binaries.
pub(crate) async fn faults(conn: &mut PgConnection) -> Result<Vec<String>, Error> {
    let wanted = MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0);
    let fault = match versions(conn).await? {
        None => "the schema is missing: run `paloma migrate`".to_owned(),
        Some((_, newest)) if newest < wanted => {
            format!("the schema is at version {newest}, these binaries want {wanted}: run `paloma migrate`")
        }
        Some((oldest, newest)) if wanted < oldest => format!(
            "the schema is at version {newest} and serves binaries from {oldest} on, these are of {wanted}: start newer ones"
        ),
        Some(_) => return Ok(Vec::new()),
    };
    Ok(vec![fault])
}

/// The oldest binaries that the schema serves, and the last file that was applied to it; none where there is no schema.
async fn versions(conn: &mut PgConnection) -> Result<Option<(i64, i64)>, Error> {
    // one from before 0051 tells one number, and serves nobody else; asked of the catalogue, since an error would end the transaction
    let told: Vec<String> = sqlx::query_scalar(
        "select proname::text from pg_proc
          where pronamespace = to_regnamespace('app') and proname in ('schema_version', 'newest_version') order by proname",
    )
    .fetch_all(&mut *conn)
    .await?;
    let versions: (Option<i64>, Option<i64>) = match told.first().map(String::as_str) {
        Some("newest_version") => {
            sqlx::query_as("select app.oldest_version(), app.newest_version()").fetch_one(conn).await?
        }
        Some(_) => sqlx::query_as("select v, v from app.schema_version() v").fetch_one(conn).await?,
        None => return Ok(None),
    };
    Ok(versions.0.zip(versions.1))
}
