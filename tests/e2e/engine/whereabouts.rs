//! What a test that waited in vain says of the job: what an operator would be told, and the rows by which a claim decides.

use std::fmt::Write as _;

use db::Why;

use super::world::EngineWorld;

const ROWS: [(&str, &str); 7] = [
    ("jobs", "select concat_ws(' ', id, lane_id, priority, run_at, fence, attempt) from jobs.jobs order by lane_id, id desc limit 20"),
    ("turns", "select concat_ws(' ', t::text, 'written by', xmin) from jobs.turns t limit 20"),
    ("wakes", "select concat_ws(' ', w::text, 'written by', xmin) from jobs.wakes w limit 20"),
    ("leases", "select l::text from jobs.leases l limit 20"),
    ("processes", "select p::text from jobs.processes p"),
    ("time", "select concat_ws(' ', app.clock(), pg_current_snapshot())"),
    (
        "sessions",
        "select concat_ws(' ', pid, state, wait_event, 'xid', backend_xid, 'xmin', backend_xmin, 'blocked by', pg_blocking_pids(pid), left(query, 80))
           from pg_stat_activity where datname = current_database()",
    ),
];

/// A text of many lines.
pub async fn of(world: &EngineWorld, id: i64) -> String {
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    let why = jobs::admin::explain(&mut tx, id).await.unwrap();
    drop(tx);
    let mut text = serde_json::to_string(&why).unwrap();
    let mut superuser = world.database.superuser().await;
    for (name, sql) in ROWS {
        let rows: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut superuser).await.unwrap();
        write!(text, "\n{name}:\n  {}", rows.join("\n  ")).unwrap();
    }
    text
}
