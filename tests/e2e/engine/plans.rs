//! What the hot statements read with a million rows in a lane, as many scheduled and thirty thousand lanes, by pages touched and rows read, as
//! planned while the tables were nearly empty (a worker that has run since the first day), without and with statistics of that, full without
//! statistics, and full with them. No big table is read whole, and each statement touches pages and reads rows by what it does and not by
//! what there is. The pages are EXPLAIN's and the rows those of the session's statistics; both count those of the statements inside a function
//! too. Rows tell what pages don't: ten thousand turns are two hundred pages.

#![expect(clippy::disallowed_types, reason = "EXPLAIN takes no parameters, and names go into what is filled")]

mod cases;
mod fill;

use db::Scope;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection, types::Json};

use super::world::{EngineWorld, Hand};
use cases::{Case, Role, cases};

#[tokio::test]
async fn no_hot_statement_reads_more_because_there_are_millions_of_rows() {
    let world = EngineWorld::new().await;
    let (cases, mut old) = begin(&world).await;
    fill_up(&world).await;
    let mut wrong = look("planned while nearly empty", &world, old.conn().await, &cases).await;
    let mut new = world.hand().await;
    wrong.extend(look("without statistics", &world, new.conn.conn(), &cases).await);
    take_statistics(&world).await;
    let mut newest = world.hand().await;
    wrong.extend(look("with statistics", &world, newest.conn.conn(), &cases).await);
    world.abandon().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The worst advice there is: of a table known to hold nothing, or a row or two, any way to a row looks as cheap as its key.
#[tokio::test]
async fn nor_because_there_was_nothing_when_statistics_were_taken() {
    let world = EngineWorld::new().await;
    take_statistics(&world).await;
    let (cases, mut old) = begin(&world).await;
    fill_up(&world).await;
    let wrong = look("known to be empty", &world, old.conn().await, &cases).await;
    world.abandon().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn nor_because_there_was_next_to_nothing_when_statistics_were_taken() {
    let world = EngineWorld::new().await;
    let _ = begin(&world).await;
    take_statistics(&world).await;
    let cases = cases(&world).await;
    let mut old = planned(&world, &cases).await;
    fill_up(&world).await;
    let wrong = look("known to be nearly empty", &world, old.conn().await, &cases).await;
    world.abandon().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A session that has made its plans and keeps them.
struct Old {
    hand: Hand,
    /// One of these plans, as it was.
    plan: String,
}

const PREPARE: &str =
    "set plan_cache_mode = force_generic_plan; prepare one as select t.vt from jobs.turns t where t.queue = $1";

impl Old {
    /// Whatever makes all plans of all sessions anew, as a new schema does, takes the sense out of what is looked at with them.
    async fn conn(&mut self) -> &mut PgConnection {
        assert_eq!(plan(self.hand.conn.conn()).await, self.plan, "the plans were not kept");
        self.hand.conn.conn()
    }
}

async fn plan(conn: &mut PgConnection) -> String {
    let rows: Vec<String> = sqlx::query_scalar("explain execute one(1)").fetch_all(conn).await.unwrap();
    rows.join("\n")
}

/// A few of everything, and a session that has made its plans with that.
async fn begin(world: &EngineWorld) -> (Vec<Case>, Old) {
    fill::lanes(world).await;
    fill::rows(world, fill::FEW).await;
    fill::leases(world).await;
    let cases = cases(world).await;
    let old = planned(world, &cases).await;
    (cases, old)
}

async fn planned(world: &EngineWorld, cases: &[Case]) -> Old {
    let mut hand = world.hand().await;
    // also functions that would begin with a few plans for one call each make one that they keep
    sqlx::raw_sql(PREPARE).execute(hand.conn.conn()).await.unwrap();
    for case in cases {
        read(world, hand.conn.conn(), case).await;
    }
    let plan = plan(hand.conn.conn()).await;
    Old { hand, plan }
}

async fn fill_up(world: &EngineWorld) {
    fill::rows(world, fill::MANY).await;
    let least = "select least((select count(*) from jobs.jobs), (select count(*) from jobs.scheduled))";
    assert!(world.number(least).await > 1_000_000);
}

/// As the server's own upkeep does.
async fn take_statistics(world: &EngineWorld) {
    sqlx::raw_sql("vacuum analyze").execute(&mut world.database.superuser().await).await.unwrap();
}

async fn look(when: &str, world: &EngineWorld, conn: &mut PgConnection, cases: &[Case]) -> Vec<String> {
    let mut wrong = Vec::new();
    for case in cases {
        let (pages, rows) = read(world, conn, case).await;
        let count = rows.iter().map(|read| read.scanned + read.by_index).sum::<i64>();
        let scanned: Vec<&Rows> = rows.iter().filter(|read| read.scanned > 0 && is_large(&read.table)).collect();
        let said = format!(
            "{when}: {} touched {pages} pages of {}, read {count} rows of {}",
            case.name, case.pages, case.rows
        );
        // shown where a test fails, and by `--no-capture`
        println!("{said}: {rows:?}");
        if pages > case.pages || count > case.rows || !scanned.is_empty() {
            wrong.push(format!("{said}, scanned {scanned:?}"));
        }
    }
    wrong
}

/// Rows of a table that a statement read, by scanning it and by its indexes.
#[derive(Debug, sqlx::FromRow)]
struct Rows {
    table: String,
    scanned: i64,
    by_index: i64,
}

/// What is small, or there to be read whole and emptied (kinds, processes, wakes, deltas), may be scanned.
fn is_large(table: &str) -> bool {
    const LARGE: [&str; 9] =
        ["jobs", "scheduled", "leases", "turns", "lanes", "job_keys", "failures", "batches", "costs"];
    LARGE.contains(&table) || table.starts_with("history")
}

/// Pages that a statement touches and rows that it reads; what it did is undone.
async fn read(world: &EngineWorld, conn: &mut PgConnection, case: &Case) -> (i64, Vec<Rows>) {
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

async fn measure(conn: &mut PgConnection, case: &Case) -> (i64, Vec<Rows>) {
    sqlx::raw_sql(AssertSqlSafe(case.given.clone())).execute(&mut *conn).await.unwrap();
    let explain = format!("explain (analyze, buffers, timing off, summary off, format json) {}", case.run);
    // once for the plans of what is inside
    sqlx::raw_sql("savepoint before").execute(&mut *conn).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(explain.clone())).execute(&mut *conn).await.unwrap();
    sqlx::raw_sql("rollback to before").execute(&mut *conn).await.unwrap();
    let before = rows(conn).await;
    let plan: Json<Value> = sqlx::query_scalar(AssertSqlSafe(explain)).fetch_one(&mut *conn).await.unwrap();
    let mut after = rows(conn).await;
    let root = &plan[0]["Plan"];
    let pages = ["Shared Hit Blocks", "Shared Read Blocks"].iter().filter_map(|kind| root[kind].as_i64()).sum();
    for (now, earlier) in after.iter_mut().zip(&before) {
        assert_eq!(now.table, earlier.table);
        now.scanned -= earlier.scanned;
        now.by_index -= earlier.by_index;
    }
    after.retain(|read| read.scanned + read.by_index > 0);
    (pages, after)
}

/// Rows read by this session so far, also those that turned out not to be wanted: whatever an index names counts.
async fn rows(conn: &mut PgConnection) -> Vec<Rows> {
    sqlx::query_as(
        "select c.relname::text as table, pg_stat_get_xact_tuples_returned(c.oid) as scanned,
                (select coalesce(sum(pg_stat_get_xact_tuples_returned(i.indexrelid)), 0)::bigint from pg_index i where i.indrelid = c.oid) as by_index
           from pg_class c where c.relnamespace = 'jobs'::regnamespace and c.relkind = 'r' order by 1",
    )
    .fetch_all(conn)
    .await
    .unwrap()
}
