//! Which binaries run on which schema, and what is said where they don't.

use db::{Db, Options, migrate};
use e2e::{Database, eventually};

/// Newer than any of ours.
const LATER: i64 = 9_000;

/// Why these binaries refuse the database; empty where they don't.
async fn refusal(database: &Database) -> String {
    let options = Options { url: database.url(), name: "tests of versions", connections: 1, direct_url: None };
    Db::connect(options).await.err().map_or_else(String::new, |error| error.to_string())
}

async fn change(database: &Database, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&mut database.superuser().await).await.unwrap();
}

/// As newer binaries leave it.
async fn expanded() -> Database {
    let database = Database::new().await;
    change(
        &database,
        "insert into app._sqlx_migrations (version, description, success, checksum, execution_time) values (9000, 'later', true, '\\x00', 0)",
    )
    .await;
    database
}

#[tokio::test]
async fn binaries_run_on_a_schema_that_was_only_added_to_and_leave_it_as_it_is() {
    let database = expanded().await;
    assert_eq!(refusal(&database).await, "");
    assert_eq!(migrate::run(&database.url_of("postgres")).await.unwrap(), LATER);
    database.drop().await;
}

#[tokio::test]
async fn binaries_that_a_schema_no_longer_serves_are_refused() {
    let database = expanded().await;
    change(&database, "create or replace function app.oldest_version() returns bigint language sql stable return 9000")
        .await;
    let said = refusal(&database).await;
    assert!(said.contains("serves binaries from 9000 on") && said.contains("start newer ones"), "{said}");
    database.drop().await;
}

#[tokio::test]
async fn binaries_do_not_run_before_their_schema() {
    let database = Database::new().await;
    change(
        &database,
        "delete from app._sqlx_migrations where version = (select max(version) from app._sqlx_migrations)",
    )
    .await;
    let said = refusal(&database).await;
    assert!(said.contains("run `paloma migrate`"), "{said}");
    database.drop().await;

    let database = Database::bare().await;
    let said = refusal(&database).await;
    assert!(said.contains("the schema is missing: run `paloma migrate`"), "{said}");
    database.drop().await;
}

#[tokio::test]
async fn a_file_that_was_changed_after_it_was_applied_is_named() {
    let database = Database::new().await;
    change(&database, "update app._sqlx_migrations set checksum = '\\x00' where version = 4").await;
    let said = migrate::run(&database.url_of("postgres")).await.unwrap_err().to_string();
    assert!(said.contains("0004") && said.contains("never changed"), "{said}");
    database.drop().await;
}

/// Running processes lock tables in orders of their own. What met one head-on is applied again, and nothing of it twice.
#[tokio::test]
async fn a_migration_that_deadlocks_with_a_running_process_is_tried_again() {
    let database = Database::new().await;
    change(
        &database,
        "drop function crm.write_audit cascade; drop function crm.append_audit;
         drop table crm.audit cascade; delete from app._sqlx_migrations where version = 101",
    )
    .await;
    let mut process = database.superuser().await;
    // the other side finds it out first
    let begin = "set deadlock_timeout = '1h'; begin; lock table crm.lines in row exclusive mode";
    sqlx::raw_sql(begin).execute(&mut process).await.unwrap();
    let url = database.url_of("postgres");
    let url = &url;
    let meets = async {
        eventually("the migration waits", || async {
            let waits =
                "select exists (select from pg_locks l where not l.granted and l.relation = 'crm.lines'::regclass)";
            sqlx::query_scalar(waits).fetch_one(&mut database.superuser().await).await.unwrap()
        })
        .await;
        sqlx::raw_sql("lock table crm.users in row exclusive mode; commit").execute(&mut process).await.unwrap();
    };
    let (migrated, ()) = tokio::join!(migrate::run(url), meets);
    migrated.unwrap();
    assert_eq!(refusal(&database).await, "");
    database.drop().await;
}
