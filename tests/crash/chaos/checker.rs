//! Proves the queue's laws (engine.md, section 2) from the rows. Some hold at every moment, and are asked while a fault goes on, each
//! time of one snapshot; the others hold once everything has ended.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use db::{Db, Scope, Why};
use tokio::{sync::Mutex, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::load::{BURST, RATE};

/// Between two looks.
const EVERY: Duration = Duration::from_millis(400);

/// What must be so at every moment, beside the laws of the queue's own tests (`jobs::testing::violations`). One statement, one snapshot.
const ALWAYS: &str = "
with place as (select id from jobs.jobs union all select id from jobs.scheduled union all select id from jobs.history)
select 'conservation: job ' || e.job_id || ' (' || e.act || ') is in ' || count(p.id) || ' places'
  from public.enqueued e left join place p on p.id = e.job_id group by e.job_id, e.act having count(p.id) <> 1
union all
select 'exactly once: job ' || e.job_id || ' has ' || z.effects || ' effects and ' || z.ends || ' completions'
  from public.enqueued e
 cross join lateral (select (select count(*) from public.effects f where f.job_id = e.job_id) as effects,
                            (select count(*) from jobs.history h where h.id = e.job_id and h.state = 'completed') as ends) z
 where e.act = 'effect' and z.effects <> z.ends
union all
select 'final: job ' || s.job_id || ' was started after it had ended'
  from public.starts s join jobs.history h on h.id = s.job_id where s.at > h.finished_at
union all
select 'leases: job ' || r.job_id || ' is held ' || count(*) || ' times' from public.running r group by r.job_id having count(*) > 1
union all
select 'leases: job ' || r.job_id || ' is held and not there'
  from public.running r where not exists (select from jobs.jobs j where j.id = r.job_id)";

/// What must be so once everything has ended.
const AT_THE_END: &str = "
select 'ends: job ' || e.job_id || ' (' || e.act || ') is ' || h.state
  from public.enqueued e join jobs.history h on h.id = e.job_id
 where h.state <> case e.act when 'discard' then 'discarded' when 'cancelled' then 'cancelled' else 'completed' end
union all
select 'ends: job ' || e.job_id || ' (' || e.act || ') has ended without a start'
  from public.enqueued e where e.act <> 'cancelled' and not exists (select from public.starts s where s.job_id = e.job_id)
union all
select 'keys: one of job ' || k.job_id || ' is left' from jobs.job_keys k
union all
select 'batches: ' || b.id || ' has counted ' || b.completed_count || ' of ' || b.enqueued_count || ', of which there are ' || n.jobs
  from jobs.batches b cross join lateral (select count(*) as jobs from public.enqueued e where e.act = 'batch') n
 where (b.completed_count, b.enqueued_count) is distinct from (n.jobs, n.jobs) or b.completed_at is null
union all
select 'batches: the completion was told ' || n.told || ' times'
  from (select count(*) as told from jobs.history h join jobs.kinds k on k.id = h.kind where k.name = 'chaos.close') n
 where n.told <> (select count(*) from jobs.batches)";

/// What is wrong now; empty where nothing is.
pub async fn violations(db: &Db) -> Result<Vec<String>, db::Error> {
    let mut found = jobs::testing::violations(db).await?;
    found.extend(ask(db, ALWAYS).await?);
    Ok(found)
}

/// What is wrong once everything has ended, the tokens of the gate included.
pub async fn violations_at_the_end(db: &Db) -> Result<Vec<String>, db::Error> {
    let mut found = violations(db).await?;
    found.extend(ask(db, AT_THE_END).await?);
    let mut tx = db.platform(Why::Operator).await?;
    let starts: Vec<f64> = sqlx::query_scalar(
        "select extract(epoch from h.leased_at)::float8 from jobs.history h join public.enqueued e on e.job_id = h.id
          where e.act = 'gated' and h.leased_at is not null order by 1",
    )
    .fetch_all(tx.conn())
    .await?;
    found.extend(beyond_the_rate(&starts));
    Ok(found)
}

async fn ask(db: &Db, laws: &'static str) -> Result<Vec<String>, db::Error> {
    let mut tx = db.platform(Why::Operator).await?;
    Ok(sqlx::query_scalar(laws).fetch_all(tx.conn()).await?)
}

/// A window in which more was let through than its burst and its rate allow; `starts` are in order.
fn beyond_the_rate(starts: &[f64]) -> Option<String> {
    for (first, from) in starts.iter().enumerate() {
        for (last, until) in starts.iter().enumerate().skip(first) {
            let (count, window) = ((last - first + 1) as f64, until - from);
            if count > BURST + RATE * window + 1e-6 {
                return Some(format!("tokens: {count} in {window:.3} s"));
            }
        }
    }
    None
}

/// A look at the rows again and again while a fault goes on.
pub struct Watch {
    stop: CancellationToken,
    looking: JoinHandle<()>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    looks: usize,
    violations: BTreeMap<String, usize>,
}

impl Watch {
    /// Begins. A look at a server that does not answer proves nothing and is not counted.
    pub fn begin(db: Db) -> Self {
        let (stop, seen) = (CancellationToken::new(), Arc::new(Mutex::new(Seen::default())));
        let (until, noted) = (stop.clone(), Arc::clone(&seen));
        let looking = tokio::spawn(async move {
            while until.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
                if let Ok(found) = violations(&db).await {
                    let mut seen = noted.lock().await;
                    seen.looks += 1;
                    for violation in found {
                        *seen.violations.entry(violation).or_default() += 1;
                    }
                }
            }
        });
        Self { stop, looking, seen }
    }

    /// Ends it; answers how often it has looked.
    ///
    /// # Panics
    /// Where a law was ever broken, or nothing was ever looked at.
    pub async fn end(self) -> usize {
        self.stop.cancel();
        self.looking.await.expect("looking does not panic");
        let seen = self.seen.lock().await;
        assert!(seen.violations.is_empty(), "seen while the fault went on: {:#?}", seen.violations);
        assert!(seen.looks > 0, "nobody looked");
        seen.looks
    }
}

#[test]
fn a_window_with_more_than_the_burst_and_the_rate_is_found() {
    let burst = vec![10.0; BURST as usize];
    assert_eq!(beyond_the_rate(&burst), None);
    let more = [burst.clone(), vec![10.0]].concat();
    assert!(beyond_the_rate(&more).is_some());
    let later = [burst, vec![10.0 + 1.0 / RATE]].concat();
    assert_eq!(beyond_the_rate(&later), None);
}
