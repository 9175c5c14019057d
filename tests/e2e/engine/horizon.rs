//! The vacuum horizon: whoever holds it is named, be it a session of any role, a prepared transaction or a slot.

use cli::cluster::{Cluster, DATABASE, Options, SUPERUSER};
use db::{Db, Why};
use jobs::admin::{self, Holder, Horizon};
use sqlx::{Connection, PgConnection};

async fn horizon(db: &Db) -> Horizon {
    let mut tx = db.platform(Why::Operator).await.unwrap();
    admin::horizon(&mut tx).await.unwrap()
}

async fn held_by(db: &Db, holder: &str, name: &str) -> Option<Holder> {
    horizon(db).await.holders.into_iter().find(|held| held.holder == holder && held.name == name)
}

/// Transactions that write, each with a number of its own.
async fn pass(conn: &mut PgConnection, count: i64) {
    for _ in 0..count {
        sqlx::query("select pg_current_xact_id()").execute(&mut *conn).await.unwrap();
    }
}

async fn run(conn: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(conn).await.unwrap();
}

/// In a cluster of its own: a slot and a prepared transaction are the cluster's, and need settings.
#[tokio::test]
async fn a_pinned_snapshot_a_prepared_transaction_and_a_slot_are_each_named() {
    let options = Options::temporary().set("wal_level", "logical").set("max_prepared_transactions", 4);
    let cluster = Cluster::start(options).await.unwrap();
    let superuser = cluster.url(SUPERUSER, DATABASE);
    db::migrate::run(&superuser).await.unwrap();
    let options =
        db::Options { url: cluster.url("paloma", DATABASE), name: "engine tests", connections: 2, direct_url: None };
    let db = Db::connect(options).await.unwrap();
    let mut writer = PgConnection::connect(&superuser).await.unwrap();
    assert!(horizon(&db).await.sees_sessions, "the bootstrap lets the owner see sessions of others");

    // a person's forgotten session
    let mut pinned = PgConnection::connect(&superuser).await.unwrap();
    run(&mut pinned, "set application_name = 'ad hoc'").await;
    run(&mut pinned, "begin isolation level repeatable read; select 1").await;
    pass(&mut writer, 5).await;
    let held = held_by(&db, "session", "ad hoc").await.expect("the session is named");
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut pinned).await.unwrap();
    assert_eq!((held.pid, held.role.as_deref()), (Some(pid), Some("postgres")));
    assert_eq!(held.state.as_deref(), Some("idle in transaction"));
    assert!(held.transactions >= 5 && held.age_s.is_some() && held.since.is_some(), "{held:?}");
    assert_eq!(horizon(&db).await.holders[0].name, "ad hoc", "the furthest back comes first");
    run(&mut pinned, "rollback").await;
    assert!(held_by(&db, "session", "ad hoc").await.is_none());

    // one without a snapshot, that has written: its number holds all that came after
    run(&mut pinned, "begin; select pg_current_xact_id()").await;
    pass(&mut writer, 3).await;
    assert!(held_by(&db, "session", "ad hoc").await.expect("a writer is named").transactions >= 3);
    run(&mut pinned, "rollback").await;

    run(&mut writer, "begin; select pg_current_xact_id(); prepare transaction 'forgotten'").await;
    pass(&mut writer, 4).await;
    let held = held_by(&db, "prepared", "forgotten").await.expect("the prepared transaction is named");
    assert!(held.pid.is_none() && held.transactions >= 4 && held.age_s.is_some(), "{held:?}");
    run(&mut writer, "rollback prepared 'forgotten'").await;

    run(&mut writer, "select pg_create_logical_replication_slot('left_behind', 'pgoutput')").await;
    pass(&mut writer, 4).await;
    let held = held_by(&db, "slot", "left_behind").await.expect("the slot is named");
    assert_eq!((held.state.as_deref(), &held.holds[..]), (Some("inactive"), "catalogs"));
    assert!(held.age_s.is_none() && held.transactions >= 4, "{held:?}");
    run(&mut writer, "select pg_drop_replication_slot('left_behind')").await;
    assert!(horizon(&db).await.holders.iter().all(|held| held.holder == "session"));
    assert!(!horizon(&db).await.is_old);
    db.close();
    cluster.stop().await.unwrap();
}
