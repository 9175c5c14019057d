//! The queue: workers and schedulers of two versions serve it under a load of every sort, and every law of the chaos tests holds throughout.

use db::Db;
use e2e::eventually;
use nix::sys::signal::Signal;
use sqlx::PgConnection;

use super::programs::Programs;
use crate::chaos::{
    ground::{Ground, options},
    kinds::{Reach, Role},
    proxy::Proxy,
    scene::{Scene, reach},
    worker::Process,
};

/// Which process had which number, and which jobs were freed from one that had died: what the queue itself forgets.
const NOTES: &str = "
create table public.fleet (process uuid primary key, pid int not null);
create table public.crashed (job_id bigint not null);
create function public.note() returns trigger language plpgsql security definer as $$
begin
  if tg_table_name = 'processes' then
    insert into public.fleet values (new.id, new.pid) on conflict do nothing;
  else
    insert into public.crashed values (new.id);
  end if;
  return null;
end $$;
create trigger note after insert on jobs.processes for each row execute function public.note();
create trigger note after update on jobs.jobs for each row when (new.crashes > old.crashes) execute function public.note();
create view public.runs as select s.job_id, e.act, f.pid
  from public.starts s join public.enqueued e on e.job_id = s.job_id join public.fleet f on f.process = s.process;
grant select on public.crashed, public.runs to paloma_platform;
";
const TICKS: &str = "select count(*) from public.ticks";
const CRASHED: &str = "select count(*) from public.crashed";
/// Whether the process of that number holds a job.
const HOLDS: &str =
    "select exists (select from public.running r join public.fleet f on f.process = r.process where f.pid = $1)";
/// Starts beyond the one that a job needs, and attempts beyond those that it needs, where no worker died over it.
const UNEXPLAINED: &str = "
select (select count(*) - count(distinct r.job_id) from public.runs r
         where r.act <> 'fail_once' and not exists (select from public.crashed c where c.job_id = r.job_id))
     + (select count(*) from jobs.history h join public.enqueued e on e.job_id = h.id
         where e.act <> 'cancelled' and h.attempt > case e.act when 'fail_once' then 2 else 1 end
           and not exists (select from public.crashed c where c.job_id = h.id))";
/// Starts by the last version, whose processes are `$1`, and by this one; jobs that failed in one of them and were tried again in the other.
const SHARES: &str = "
select (select count(*) from public.runs r where r.pid = any($1)), (select count(*) from public.runs r where r.pid <> all($1)),
       (select count(*) from (select from public.runs r where r.act = 'fail_once'
                               group by r.job_id having bool_or(r.pid = any($1)) and bool_or(r.pid <> all($1))) x)";
/// Sorts of jobs that one of the two never ran.
const ONE_SIDED: &str = "
select r.act from public.runs r group by r.act having not bool_or(r.pid = any($1)) or not bool_or(r.pid <> all($1))";
/// Errors of jobs that neither the load asks for nor a worker's death explains.
const ODD_ERRORS: &str = "
select distinct e.value ->> 'error' from (select errors from jobs.jobs union all select errors from jobs.scheduled union all select errors from jobs.failures) j
 cross join lateral jsonb_array_elements(j.errors) e where e.value ->> 'error' not in ('the first start fails', 'of no use', 'its worker died')";
/// Jobs that each version has to have started at least.
const FAIR: i64 = 100;

/// Two workers of a version and a scheduler.
fn crew(programs: &Programs, reach: &Reach) -> (Vec<Process>, Process) {
    let start = |role| Process::of(&programs.tests, role, reach);
    (vec![start(Role::Worker), start(Role::Worker)], start(Role::Scheduler))
}

fn pids(workers: &[Process]) -> Vec<i32> {
    workers.iter().map(|worker| worker.pid).collect()
}

/// Asks it to end.
async fn end(process: Process) {
    let status = process.end().await;
    assert!(status.success(), "{status}");
}

/// Stops the first worker in the middle of a job, so that its death leaves something to be freed.
async fn stop_at_work(scene: &Scene, superuser: &mut PgConnection) {
    let (worker, superuser) = (&scene.workers[0], tokio::sync::Mutex::new(superuser));
    eventually("it is in the middle of something", || async {
        worker.signal(Signal::SIGSTOP);
        let mut superuser = superuser.lock().await;
        let holds: bool =
            sqlx::query_scalar(HOLDS).bind(worker.pid).fetch_one(&mut **superuser).await.expect("the rows can be read");
        if !holds {
            worker.signal(Signal::SIGCONT);
        }
        holds
    })
    .await;
}

/// Why this version does not run on that schema.
async fn refusal(reach: &Reach) -> String {
    let refused = Db::connect(reach.clone().options("two versions", 1)).await;
    refused.err().map_or_else(String::new, |error| error.to_string())
}

/// Jobs fail as the load wants it, and in no other way.
async fn assert_no_odd_errors(superuser: &mut PgConnection) {
    let found: Vec<String> = sqlx::query_scalar(ODD_ERRORS).fetch_all(superuser).await.expect("the rows can be read");
    assert!(found.is_empty(), "{found:#?}");
}

async fn assert_both_worked(superuser: &mut PgConnection, of_last: &[i32]) {
    let (by_last, by_this, crossed): (i64, i64, i64) =
        sqlx::query_as(SHARES).bind(of_last).fetch_one(&mut *superuser).await.expect("the rows can be read");
    println!("the last version ran {by_last}, this one {by_this}; {crossed} failed in one and ran in the other");
    assert!(by_last >= FAIR && by_this >= FAIR && crossed > 0, "{by_last} and {by_this}, {crossed} crossed");
    let one_sided: Vec<String> =
        sqlx::query_scalar(ONE_SIDED).bind(of_last).fetch_all(superuser).await.expect("the rows can be read");
    assert!(one_sided.is_empty(), "only one version ran these: {one_sided:?}");
}

async fn assert_each_second_fired_once(scene: &Scene) {
    let (fires, seconds, span) = (
        scene.number(TICKS).await,
        scene.number("select count(distinct second) from public.ticks").await,
        scene.number("select max(second) - min(second) + 1 from public.ticks").await,
    );
    assert_eq!((fires, seconds), (span, span), "each second of the span fires once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_versions_serve_one_queue_through_the_roll_and_back() {
    let Some(last) = Programs::of_the_last_version() else { return };
    let this = Programs::of_this_version();

    // the last version, alone on the schema that it has made
    let ground = Ground::bare(options()).await;
    last.migrate(&ground.owner_url()).await;
    let ground = ground.with_tables().await;
    let mut superuser = ground.superuser().await;
    sqlx::raw_sql(NOTES).execute(&mut superuser).await.expect("the notes");
    let ways = (Proxy::open(ground.socket()).await, Proxy::open(ground.socket()).await);
    let reach = reach(&ways.0, None);
    let (mut workers, scheduler) = crew(&last, &reach);
    let mut of_last = pids(&workers);
    eventually("the last version fires and runs", || async {
        let mut superuser = ground.superuser().await;
        let ticks: i64 = sqlx::query_scalar(TICKS).fetch_one(&mut superuser).await.expect("ticks can be counted");
        ticks >= 2
    })
    .await;
    assert!(refusal(&reach).await.contains("run `paloma migrate`"), "this version does not run before its schema");

    // expand while it works, and this version beside it
    this.migrate(&ground.owner_url()).await;
    let (ours, our_scheduler) = crew(&this, &reach);
    workers.extend(ours);
    let mut scene = Scene::among(workers, ground, ways, None, "two versions", 20_261_117).await;
    scene.each_worker_gets_on().await;
    scene.gets_on(150).await;
    assert_no_odd_errors(&mut superuser).await;

    // the roll: one of the last version is asked to end, the other dies and this version frees what it held
    end(scene.workers.remove(0)).await;
    scene.gets_on(60).await;
    stop_at_work(&scene, &mut superuser).await;
    scene.workers.remove(0).kill().await;
    end(scheduler).await;
    eventually("what it held is freed", || async { scene.number(CRASHED).await.is_some_and(|freed| freed > 0) }).await;
    scene.more(TICKS, 2).await;

    // and back: the last version starts on the schema of this one, and in the end is alone with it
    let (workers, scheduler) = crew(&last, &reach);
    of_last.extend(pids(&workers));
    scene.workers.extend(workers);
    scene.each_worker_gets_on().await;
    for _ in 0..2 {
        end(scene.workers.remove(0)).await;
        scene.gets_on(60).await;
    }
    end(our_scheduler).await;
    scene.more(TICKS, 2).await;
    assert_no_odd_errors(&mut superuser).await;
    end(scheduler).await;
    scene.drained().await;
    assert_both_worked(&mut superuser, &of_last).await;
    assert_each_second_fired_once(&scene).await;
    assert_eq!(scene.number(UNEXPLAINED).await, Some(0), "starts and attempts are repeated only where a worker died");
    scene.concludes().await;
}
