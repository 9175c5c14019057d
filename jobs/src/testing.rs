//! For tests: run what is due until nothing is.

use std::time::Duration;

use db::{Db, Why};

/// Waits until no job is due or running, at most `most`. What is scheduled for later stays. The engine must be running.
///
/// # Panics
/// When the time is over, with what is left.
pub async fn drained(db: &Db, most: Duration) {
    let until = std::time::Instant::now() + most;
    loop {
        let left = left(db).await;
        if left.is_empty() {
            return;
        }
        assert!(std::time::Instant::now() < until, "not drained in {most:?}: {left:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Jobs that are due or running, as `kind state attempt`.
async fn left(db: &Db) -> Vec<String> {
    let work = async {
        let mut tx = db.platform(Why::Operator).await?;
        let rows: Vec<String> = sqlx::query_scalar(
            "select k.name || ' ' || x.state || ' ' || x.attempt || coalesce(' ' || x.errors, '') from (
               select kind, state, attempt, errors::text from jobs.live
               union all select kind, 'due', attempt, errors::text from jobs.scheduled where run_at <= app.clock()) x
             join jobs.kinds k on k.id = x.kind limit 20",
        )
        .fetch_all(db::Scope::conn(&mut tx))
        .await?;
        Ok::<_, db::Error>(rows)
    };
    work.await.unwrap_or_else(|error| vec![error.to_string()])
}

/// The conservation law (engine.md section 2, invariant 6) over everything a database has seen: every job that was enqueued is in
/// exactly one place, and a running one is leased.
pub async fn violations(db: &Db) -> Result<Vec<String>, db::Error> {
    let mut tx = db.platform(Why::Operator).await?;
    Ok(sqlx::query_scalar(
        "with live as (select id from jobs.jobs union all select id from jobs.scheduled),
              ended as (select id, count(*) filter (where state = 'completed') as completed from jobs.history group by 1)
         select 'job ' || id || ' is in two places' from live group by id having count(*) > 1
         union all select 'job ' || e.id || ' completed ' || e.completed || ' times' from ended e where e.completed > 1
         union all select 'job ' || l.id || ' is live and completed' from live l join ended e on e.id = l.id where e.completed > 0
         union all select 'key of job ' || k.job_id || ' outlived it' from jobs.job_keys k
           where k.scope in (1, 2) and not exists (select from live l where l.id = k.job_id)
         union all select 'gate slot of a process that is gone: ' || s.gate_id from jobs.gate_slots s
           where s.running > 0 and not exists (select from jobs.processes p where p.id = s.process)
         union all select 'job ' || j.id || ' is in a lease that was void when it was made' from jobs.leases x cross join lateral unnest(x.job_ids) i(id)
           join jobs.jobs j on j.id = i.id where j.fence >= x.fence
         union all select 'job ' || i.id || ' is leased twice' from jobs.leases x cross join lateral unnest(x.job_ids) i(id)
           join live l on l.id = i.id group by i.id having count(*) > 1",
    )
    .fetch_all(db::Scope::conn(&mut tx))
    .await?)
}
