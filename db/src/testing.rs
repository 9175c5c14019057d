//! Databases for tests: a template, migrated once, and clones of it; and a clock that moves by one number.

use sqlx::{Connection, Executor, PgConnection, postgres::PgConnectOptions};
use std::{str::FromStr, time::Duration};

use crate::{Error, migrate};

/// Adds an offset to the two functions every statement takes its time from.
const CLOCK: &str = "
set role paloma_owner;
create table app.test_clock (shift interval not null);
insert into app.test_clock values ('0');
grant select, update on app.test_clock to paloma_tenant, paloma_platform;
create or replace function app.now() returns timestamptz language sql stable as 'select now() + (select shift from app.test_clock)';
create or replace function app.clock() returns timestamptz language sql volatile as 'select clock_timestamp() + (select shift from app.test_clock)';
reset role;
";

fn with_database(url: &str, database: &str) -> Result<PgConnectOptions, Error> {
    Ok(PgConnectOptions::from_str(url)?.database(database))
}

/// Makes the template database where it is missing. `superuser_url` names any database of the cluster, `url_of` the template's.
pub async fn make_template(superuser_url: &str, template_url: &str, template: &str) -> Result<(), Error> {
    let mut admin = PgConnection::connect(superuser_url).await?;
    // one maker at a time; the others find it made
    sqlx::query("select pg_advisory_lock(7231)").execute(&mut admin).await?;
    let done: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1 and datistemplate)")
        .bind(template)
        .fetch_one(&mut admin)
        .await?;
    if !done {
        admin.execute(sqlx::AssertSqlSafe(format!("drop database if exists {template}"))).await?;
        admin.execute(sqlx::AssertSqlSafe(format!("create database {template}"))).await?;
        migrate::run(template_url).await?;
        let mut conn = PgConnection::connect_with(&with_database(superuser_url, template)?).await?;
        sqlx::raw_sql(CLOCK).execute(&mut conn).await?;
        conn.close().await?;
        admin.execute(sqlx::AssertSqlSafe(format!("alter database {template} is_template true"))).await?;
    }
    Ok(())
}

/// Makes a database without a schema.
pub async fn make_bare(superuser_url: &str, name: &str) -> Result<(), Error> {
    let mut admin = PgConnection::connect(superuser_url).await?;
    admin.execute(sqlx::AssertSqlSafe(format!("create database {name}"))).await?;
    Ok(())
}

/// Clones the template into a database of that name.
pub async fn clone_template(superuser_url: &str, template: &str, name: &str) -> Result<(), Error> {
    let mut admin = PgConnection::connect(superuser_url).await?;
    admin
        .execute(sqlx::AssertSqlSafe(format!("create database {name} template {template} strategy file_copy")))
        .await?;
    Ok(())
}

/// Drops a clone, also while somebody is connected to it.
pub async fn drop_clone(superuser_url: &str, name: &str) -> Result<(), Error> {
    let mut admin = PgConnection::connect(superuser_url).await?;
    admin.execute(sqlx::AssertSqlSafe(format!("drop database if exists {name} with (force)"))).await?;
    Ok(())
}

/// Moves the time of one test database forward.
pub async fn advance(superuser_url: &str, database: &str, by: Duration) -> Result<(), Error> {
    let mut conn = PgConnection::connect_with(&with_database(superuser_url, database)?).await?;
    sqlx::query("update app.test_clock set shift = shift + make_interval(secs => $1)")
        .bind(by.as_secs_f64())
        .execute(&mut conn)
        .await?;
    Ok(())
}
