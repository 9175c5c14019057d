//! What the hot statements read with a million rows in a lane and as many scheduled, by pages touched and rows scanned, as planned in three
//! ways: while the tables were nearly empty (a worker that has run since the first day), full without statistics, and full with them. No big
//! table is read whole, and each statement touches pages by what it does and not by what there is. The pages are EXPLAIN's, which
//! counts those of the statements inside a function too.

#![expect(clippy::disallowed_types, reason = "EXPLAIN takes no parameters, and names go into what is filled")]

mod cases;
mod fill;

use db::Scope;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection, types::Json};

use super::world::EngineWorld;
use cases::{Case, Role, cases};

#[tokio::test]
async fn no_hot_statement_reads_more_because_there_are_millions_of_rows() {
    let world = EngineWorld::new().await;
    fill::lanes(&world).await;
    fill::rows(&world, 1).await;
    fill::leases(&world).await;
    let cases = cases(&world).await;
    let mut old = world.hand().await;
    let mut wrong = Vec::new();
    for case in &cases {
        // plans are made here, and kept by the session
        read(&world, old.conn.conn(), case).await;
    }
    fill::rows(&world, fill::MANY).await;
    assert!(
        world.number("select least((select count(*) from jobs.jobs), (select count(*) from jobs.scheduled))").await
            > 1_000_000
    );
    wrong.extend(look("planned while empty", &world, old.conn.conn(), &cases).await);
    let mut new = world.hand().await;
    wrong.extend(look("without statistics", &world, new.conn.conn(), &cases).await);
    sqlx::raw_sql("analyze").execute(&mut world.database.superuser().await).await.unwrap();
    let mut newest = world.hand().await;
    wrong.extend(look("with statistics", &world, newest.conn.conn(), &cases).await);
    world.abandon().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

async fn look(when: &str, world: &EngineWorld, conn: &mut PgConnection, cases: &[Case]) -> Vec<String> {
    let mut wrong = Vec::new();
    for case in cases {
        let (pages, scanned) = read(world, conn, case).await;
        // shown where a test fails, and by `--no-capture`
        println!("{when}: {}: {pages} pages of {}, scanned {scanned:?}", case.name, case.pages);
        if pages > case.pages || !scanned.is_empty() {
            wrong
                .push(format!("{when}: {} touched {pages} pages of {} and scanned {scanned:?}", case.name, case.pages));
        }
    }
    wrong
}

/// Pages that a statement touches and rows that it reads by scanning whole tables; what it did is undone.
async fn read(world: &EngineWorld, conn: &mut PgConnection, case: &Case) -> (i64, Vec<(String, i64)>) {
    match case.role {
        Role::Engine => {
            sqlx::raw_sql("begin").execute(&mut *conn).await.unwrap();
            let seen = measure(conn, case).await;
            sqlx::raw_sql("rollback").execute(conn).await.unwrap();
            seen
        }
        Role::Tenant => measure(world.tx().await.conn(), case).await,
    }
}

async fn measure(conn: &mut PgConnection, case: &Case) -> (i64, Vec<(String, i64)>) {
    sqlx::raw_sql(AssertSqlSafe(case.given.clone())).execute(&mut *conn).await.unwrap();
    let explain = format!("explain (analyze, buffers, timing off, summary off, format json) {}", case.run);
    // once for the plans of what is inside
    sqlx::raw_sql("savepoint before").execute(&mut *conn).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(explain.clone())).execute(&mut *conn).await.unwrap();
    sqlx::raw_sql("rollback to before").execute(&mut *conn).await.unwrap();
    let before = scanned(conn).await;
    let plan: Json<Value> = sqlx::query_scalar(AssertSqlSafe(explain)).fetch_one(&mut *conn).await.unwrap();
    let after = scanned(conn).await;
    let root = &plan[0]["Plan"];
    let pages = ["Shared Hit Blocks", "Shared Read Blocks"].iter().filter_map(|kind| root[kind].as_i64()).sum();
    let rows = after.into_iter().map(|(table, rows)| {
        let earlier = before.iter().find(|(of, _)| *of == table).map_or(0, |(_, rows)| *rows);
        (table, rows - earlier)
    });
    (pages, rows.filter(|(_, rows)| *rows > 0).collect())
}

/// Rows read by scanning. What is small, or there to be read whole and emptied (kinds, processes, wakes, deltas), is left out.
async fn scanned(conn: &mut PgConnection) -> Vec<(String, i64)> {
    sqlx::query_as(
        "select relname::text, seq_tup_read from pg_stat_xact_user_tables
          where schemaname = 'jobs' and seq_tup_read > 0
            and (relname in ('jobs', 'scheduled', 'leases', 'turns', 'lanes', 'job_keys', 'failures', 'batches') or relname like 'history%')",
    )
    .fetch_all(conn)
    .await
    .unwrap()
}
