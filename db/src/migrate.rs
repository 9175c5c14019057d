//! Brings a database to the schema these binaries were built with. The migrations are inside the binary.

use sqlx::{Connection, PgConnection, migrate::Migrator};

use crate::Error;

/// The migrations, embedded.
pub static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

const BOOTSTRAP: &str = include_str!("../../ops/bootstrap.sql");

/// Creates the roles where the login is a superuser, then applies what is missing as the owner of the schema.
///
/// Until the first tagged release the migrations are edited in place; a database made by an older text of them is refused with
/// the advice to make it anew.
pub async fn run(owner_url: &str) -> Result<(), Error> {
    let mut conn = PgConnection::connect(owner_url).await?;
    let superuser: bool =
        sqlx::query_scalar("select rolsuper from pg_roles where rolname = current_user").fetch_one(&mut conn).await?;
    if superuser {
        sqlx::raw_sql(BOOTSTRAP).execute(&mut conn).await?;
    }
    let roles: i64 = sqlx::query_scalar(
        "select count(*) from pg_roles where rolname in ('paloma_owner', 'paloma_tenant', 'paloma_platform', 'paloma')",
    )
    .fetch_one(&mut conn)
    .await?;
    if roles < 4 {
        return Err(Error::Schema("the roles are missing: a superuser must run ops/bootstrap.sql once".to_owned()));
    }
    sqlx::raw_sql("set role paloma_owner; create schema if not exists app; set search_path = app; set client_min_messages = warning")
        .execute(&mut conn)
        .await?;
    match MIGRATOR.run(&mut conn).await {
        Err(sqlx::migrate::MigrateError::VersionMismatch(version)) => Err(Error::Schema(format!(
            "this database was made by another development version (migration {version} differs): make it anew (embedded: `paloma reset`)"
        ))),
        other => Ok(other?),
    }
}

/// What is missing or foreign in the schema, in words; empty when it fits these binaries.
pub(crate) async fn faults(conn: &mut PgConnection) -> Result<Vec<String>, Error> {
    let applied: Option<i64> =
        sqlx::query_scalar("select app.schema_version()").fetch_optional(conn).await.unwrap_or(None);
    let wanted = MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0);
    Ok(match applied {
        Some(version) if version == wanted => Vec::new(),
        Some(version) => {
            vec![format!("the schema is at version {version}, these binaries want {wanted}: run `paloma migrate`")]
        }
        None => vec!["the schema is missing: run `paloma migrate`".to_owned()],
    })
}
