//! The hot statements, each with what is given, and with the pages it may touch and the rows it may read: some half more than it does.

use db::{Scope, Why};
use uuid::Uuid;

use crate::engine::world::EngineWorld;

/// Jobs that are claimed, ended, told of or moved in a case.
const JOBS: i64 = 50;

#[derive(Clone, Copy)]
pub enum Role {
    Engine,
    Tenant,
}

pub struct Case {
    pub name: &'static str,
    pub role: Role,
    pub given: String,
    pub run: String,
    pub pages: i64,
    pub rows: i64,
}

/// A statement of the engine's.
fn engine(name: &'static str, pages: i64, rows: i64, run: impl Into<String>) -> Case {
    Case { name, role: Role::Engine, given: String::new(), run: run.into(), pages, rows }
}
impl Case {
    fn of_tenant(self) -> Self {
        Self { role: Role::Tenant, ..self }
    }
    fn given(self, given: impl Into<String>) -> Self {
        Self { given: given.into(), ..self }
    }
}

/// Pages for [`JOBS`] jobs, with a few to begin with.
const fn each(pages: i64) -> i64 {
    40 + pages * JOBS
}

/// What the cases speak of: a process and a claim of it, fifty jobs of the lane `open`, and one of the lane `paused`.
struct Place {
    tenant: i32,
    queue: i16,
    /// The queue whose lanes are all ready.
    busy: i16,
    kind: i16,
    open: i64,
    process: Uuid,
    fence: i64,
    ids: Vec<i64>,
    waiting: i64,
}

pub async fn cases(world: &EngineWorld) -> Vec<Case> {
    let mut tx = world.db.platform(Why::Operator).await.unwrap();
    let (queue, busy, kind, open, waiting): (i16, i16, i16, i64, i64) = sqlx::query_as(
        "select l.queue, (select q.id from jobs.queues q where q.name = 'other'), k.id, l.id, (select min(j.id) from jobs.jobs j join jobs.lanes p on p.id = j.lane_id where p.key = 'paused')
           from jobs.lanes l, jobs.kinds k where l.key = 'open' and k.name = 'test.do'",
    )
    .fetch_one(tx.conn())
    .await
    .unwrap();
    let (process, fence, ids): (Uuid, i64, Vec<i64>) =
        sqlx::query_as("select process, fence, job_ids from jobs.leases where process = md5('1')::uuid")
            .fetch_one(tx.conn())
            .await
            .unwrap();
    let place = Place { tenant: world.acme.number, queue, busy, kind, open, process, fence, ids, waiting };
    [place.claims(), place.bells(), place.ends(), place.upkeep(), place.tenants()].into_iter().flatten().collect()
}

impl Place {
    fn claims(&self) -> Vec<Case> {
        let Self { queue, busy, open, process, .. } = self;
        let claim = format!("select * from jobs.claim('{process}', {queue}::smallint, {JOBS}, interval '30 seconds')");
        let rests =
            format!("update jobs.turns set idle_until = 'infinity' where queue = {queue} and lane_id = {open};");
        let is_due = "update jobs.gate_waits set due_at = app.clock() - interval '1s';";
        let is_empty = "update jobs.gates set tokens = 0, updated_at = app.clock() where key = 'narrow';";
        vec![
            engine("claim", each(1), 90, &claim),
            // past five hundred that run
            engine("claim that looks back", each(10), 1_110, &claim)
                .given(format!("update jobs.turns set looks_back = true where lane_id = {open};")),
            engine(
                "claim from lanes that are all ready",
                each(10),
                150,
                format!("select * from jobs.claim('{process}', {busy}::smallint, {JOBS}, interval '30 seconds')"),
            ),
            engine("empty claim", 30, 10, &claim).given(&rests),
            engine("claim of a lane that is paused", 60, 10, &claim).given(format!(
                "{rests} insert into jobs.turns (queue, lane_id, tenant_number, class, vt)
                   select queue, id, tenant_number, 1, 0 from jobs.lanes where key = 'paused';"
            )),
            engine("claim of lanes before a gate", 700, 270, &claim).given(format!("{rests} {is_due}")),
            engine("claim of lanes before a gate without tokens", 540, 170, &claim)
                .given(format!("{rests} {is_due} {is_empty}")),
            engine("next_wake", 30, 10, format!("select jobs.next_wake({queue}::smallint)")).given(rests),
        ]
    }

    /// What tells lanes of work, before a claim.
    fn bells(&self) -> Vec<Case> {
        let Self { tenant, queue, kind, open, .. } = self;
        let idle = format!("select id from jobs.lanes where key like 'idle/%' order by id limit {JOBS}");
        vec![
            engine("hear_wakes", each(40), 610, format!("select jobs.hear_wakes({queue}::smallint)")).given(format!(
                "insert into jobs.wakes (tenant_number, queue, lane_id) select {tenant}, {queue}, l.id from ({idle}) l;"
            )),
            engine("hear_wakes of lanes that are new", each(52), 910, format!("select jobs.hear_wakes({queue}::smallint)")).given(format!(
                "delete from jobs.turns where queue = {queue} and lane_id in ({idle});
                 insert into jobs.wakes (tenant_number, queue, lane_id) select {tenant}, {queue}, l.id from ({idle}) l;"
            )),
            engine("promote", each(18), 160, format!("select jobs.promote({queue}::smallint, app.clock())")).given(format!(
                "insert into jobs.scheduled (id, tenant_number, lane_id, queue, kind, priority, attempt, max_attempts, crashes, key_scope, run_at, fence, payload)
                   select nextval('jobs.ids'), {tenant}, {open}, {queue}, {kind}, 0, 0, 3, 0, 0, app.clock() - interval '1s', 0, '{{}}'
                     from generate_series(1, {JOBS});"
            )),
            engine("wake_idle", each(32), 230, format!("select jobs.wake_idle({queue}::smallint, app.clock())")).given(format!(
                "update jobs.turns set idle_until = app.clock() - interval '1s' where lane_id in ({idle});"
            )),
        ]
    }

    fn settle(&self, outcome: i16, delay: f64) -> String {
        let Self { process, fence, ids, .. } = self;
        format!(
            "select jobs.settle('{process}', '{{{}}}', array_fill({fence}::bigint, array[{JOBS}]), array_fill({outcome}::smallint, array[{JOBS}]),
               array_fill({delay}::float8, array[{JOBS}]), array_fill(null::text, array[{JOBS}]))",
            ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
        )
    }

    /// A round trip that ends jobs, tells of the slots of a gate and of a claim that is over, and has no slot free.
    fn cycle(&self) -> String {
        let Self { queue, process, fence, ids, .. } = self;
        format!(
            "select count(*) from jobs.cycle('{process}', 30, array{ids:?}, array_fill({fence}::bigint, array[{JOBS}]), array_fill(1::smallint, array[{JOBS}]),
               array_fill(0::float8, array[{JOBS}]), array_fill(null::text, array[{JOBS}]), array(select id from jobs.gates where key = 'narrow'), '{{3}}',
               array[{fence}], array[{queue}::smallint], '{{0}}')"
        )
    }

    fn ends(&self) -> Vec<Case> {
        let Self { process, fence, ids, waiting, .. } = self;
        vec![
            engine("settle completed", each(25), 220, self.settle(1, 0.0)),
            engine("settle again now", each(32), 340, self.settle(2, 0.0)),
            engine("settle again later", each(32), 270, self.settle(2, 100.0)),
            engine("settle discarded", each(47), 370, self.settle(4, 0.0)),
            engine("cycle", each(25), 230, self.cycle()),
            engine("release_unknown", each(9), 240, format!("select jobs.release_unknown('{process}', '{{}}', 0)")),
            engine("cancel", 90, 30, format!("select jobs.cancel({waiting}, 'not wanted')")),
            engine("retry", 50, 20, "select jobs.retry((select max(f.id) from jobs.failures f))"),
            engine("give_up_key", 30, 10, format!("select jobs.give_up_key({})", ids[0])),
            engine(
                "renew",
                30,
                10,
                format!(
                    "select * from jobs.renew('{process}', 'worker', 'here', 1, array['work'], 30, array[{fence}])"
                ),
            ),
        ]
    }

    fn upkeep(&self) -> Vec<Case> {
        let Self { tenant, queue, kind, open, process, ids, .. } = self;
        let rescue = "select jobs.rescue(30, 5)";
        vec![
            // some pages for each of twenty processes
            engine("rescue of none", 150, 100, rescue),
            engine("rescue", each(40), 530, rescue).given(format!(
                "update jobs.processes set lease_until = app.clock() - interval '1s' where id = '{process}';"
            )),
            engine("rescue that gives up", each(70), 790, rescue).given(format!(
                "update jobs.jobs set crashes = 4 where id = any(array{ids:?});
                 update jobs.processes set lease_until = app.clock() - interval '1s' where id = '{process}';",
            )),
            engine(
                "lane",
                30,
                10,
                format!("select jobs.lane({tenant}, {queue}::smallint, 'idle/1/1', 1::smallint)"),
            ),
            engine("sweep_cancelled", each(15), 160, format!("select jobs.sweep_cancelled({JOBS})")),
            engine("sweep of nothing", 30, 10, "select jobs.sweep_cancelled(2000)")
                .given("update jobs.lanes set cancelled_at = null where key = 'cancelled';"),
            engine("tell_fates of none", 30, 10, "select jobs.tell_fates(10000)"),
            engine("prune of nothing", 60, 10, "select jobs.prune(5000)"),
            engine("prune_costs of nothing", 30, 10, "select jobs.prune_costs(400, 5000)"),
            engine("retry_batches of none", 30, 10, "select jobs.retry_batches(2000)"),
            engine("retry_batches", each(65), 610, format!("select jobs.retry_batches({JOBS})")).given(format!(
                "with b as (update jobs.batches set retry_at = app.now() where id = (select min(id) from jobs.batches) returning id)
                 insert into jobs.failures (id, tenant_number, lane_id, queue, kind, state, priority, attempt, max_attempts, crashes, key_scope, key, batch_id, payload, finished_at)
                   select nextval('jobs.ids'), {tenant}, {open}, {queue}, {kind}, 'discarded', 0, 3, 3, 0, 2, sha256(i::text::bytea), b.id, '{{}}', app.now()
                     from b, generate_series(1, {JOBS}) i;"
            )),
            engine("open_batches", each(2), 20, "select jobs.open_batches()")
                .given("update jobs.batches set completed_at = app.now() where id = (select min(id) from jobs.batches);"),
            engine("fold_batches", each(12), 200, "select jobs.fold_batches()").given(format!(
                "insert into jobs.batch_deltas (tenant_number, batch_id, completed)
                   select {tenant}, b.id, 1 from (select id from jobs.batches order by id limit 10) b, generate_series(1, {JOBS} / 10);"
            )),
        ]
    }

    fn enqueue(&self, count: i64, keys: &str, due: &str) -> String {
        let scope = if keys == "null" { 0 } else { 2 };
        format!(
            "select * from jobs.enqueue({}, 'test.do', 'work', 'open', 1::smallint, 0::smallint, 3::smallint, null, {scope}::smallint, null,
               array_fill('{{}}'::jsonb, array[{count}]), {keys}, {due})",
            self.tenant
        )
    }

    fn tenants(&self) -> Vec<Case> {
        let Self { process, fence, ids, .. } = self;
        let keys = format!("(select array_agg(sha256(('new/' || i)::bytea)) from generate_series(1, {JOBS}) i)");
        let later = format!("array_fill(app.clock() + interval '2 hours', array[{JOBS}])");
        let lease = format!("{}, {fence}, '{process}'", ids[0]);
        let cases = vec![
            engine("enqueue one", 30, 10, self.enqueue(1, "null", "null")),
            engine("enqueue many", each(8), 10, self.enqueue(JOBS, "null", "null")),
            engine("enqueue many for later", each(18), 10, self.enqueue(JOBS, "null", &later)),
            engine("enqueue many with keys", each(32), 160, self.enqueue(JOBS, &keys, "null")),
            engine("complete", 40, 10, format!("select jobs.complete({lease})")),
            engine("hold", 40, 20, format!("select jobs.hold({lease})")),
            engine("note_progress", 40, 20, format!("select jobs.note_progress({lease})")),
        ];
        cases.into_iter().map(Case::of_tenant).collect()
    }
}
