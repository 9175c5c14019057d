//! What a bench stands on: a durable cluster of its own with one tenant, and an owner's connection to look at it from outside. Goes
//! away afterwards.

use super::{Beside, cpu, noop};
use anyhow::{Context, Result, bail};
use cli::cluster::{Cluster, DATABASE, Options, SUPERUSER};
use crm::access::Role;
use crm::access::users::NewUser;
use crm::tenancy::tenants::{self, NewTenant};
use db::{Actor, Db, TenantTx, Why};
use sqlx::{Connection, PgConnection};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;
use uuid::Uuid;

/// A cluster ready to be loaded.
pub struct Ground {
    /// Behind the wall, as the servers see it.
    pub db: Db,
    cluster: Cluster,
    owner: PgConnection,
    tenants: Vec<Uuid>,
    pin: Option<PgConnection>,
    folder: TempDir, // last: the server ends before its folder
}

/// A reading of the meters.
#[derive(Debug, Clone, Copy)]
pub struct Meters {
    spent: cpu::Spent,
    wal: i64,
}

/// What was used between two readings, a job.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    pub server_us: f64,
    pub client_us: f64,
    pub wal_bytes: f64,
}

impl Ground {
    /// Starts it in a new folder in `location`, or where temporary files go.
    pub async fn start(location: Option<&Path>, count: u32) -> Result<Self> {
        let parent = location.map_or_else(std::env::temp_dir, Path::to_owned);
        let made = tempfile::Builder::new().prefix("paloma-bench-").tempdir_in(&parent);
        let folder = made.with_context(|| format!("making a folder in {}", parent.display()))?;
        // as root the server runs as another user, who has to get in
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        let options = Options::kept(folder.path()).set("shared_buffers", "1GB").set("max_wal_size", "4GB");
        let cluster = Cluster::start(options).await?;
        let owner_url = cluster.url(SUPERUSER, DATABASE);
        db::migrate::run(&owner_url).await?;
        let url = cluster.url("paloma", DATABASE);
        let db = Db::connect(db::Options { url, name: "paloma-bench", connections: 4, direct_url: None }).await?;
        noop::registry().register(&db).await?;
        let mut tenants = Vec::new();
        for number in 0..count.max(1) {
            tenants.push(make_tenant(&db, &format!("bench-{number}")).await?);
        }
        Ok(Self { db, cluster, owner: PgConnection::connect(&owner_url).await?, tenants, pin: None, folder })
    }

    /// Stops the server and removes the folder.
    pub async fn clear(self) -> Result<()> {
        drop(self.pin);
        self.db.close();
        self.owner.close().await?;
        self.cluster.stop().await?;
        Ok(self.folder.close()?)
    }

    /// The address for the servers' role.
    pub fn url(&self) -> String {
        self.cluster.url("paloma", DATABASE)
    }

    /// Where it lives.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The first tenant.
    pub fn tenant(&self) -> Uuid {
        self.tenants[0]
    }

    /// A transaction of that tenant, counted round.
    pub async fn tx_of(&self, number: usize) -> Result<TenantTx> {
        Ok(self.db.tenant(self.tenants[number % self.tenants.len()], Actor::Operator).await?)
    }

    /// Puts so many jobs beside those that are measured, where a claim should not have to pass them.
    pub async fn put_beside(&mut self, beside: Beside, count: u32) -> Result<()> {
        let fill = match beside {
            Beside::Future => {
                "insert into jobs.scheduled (id, tenant_number, lane_id, queue, kind, priority, attempt, max_attempts, crashes, key_scope, run_at, fence, payload)
                   select nextval('jobs.ids'), l.tenant_number, l.id, l.queue, k.id, 0, 0, 1, 0, 0, now() + interval '1 day' + i * interval '1 ms', 0, '{\"n\": 1}'
                     from (select * from jobs.lanes order by id limit 1) l, (select id from jobs.kinds where name = 'bench.noop') k, generate_series(1, $1) i"
            }
            Beside::Paused => {
                "with l as (
                   insert into jobs.lanes (tenant_number, queue, key, paused_at) select x.tenant_number, x.queue, 'beside', now() from jobs.lanes x order by id limit 1 returning *),
                 j as (
                   insert into jobs.jobs (tenant_number, lane_id, queue, kind, max_attempts, run_at, payload)
                     select l.tenant_number, l.id, l.queue, k.id, 1, now(), '{\"n\": 1}' from l, (select id from jobs.kinds where name = 'bench.noop') k, generate_series(1, $1) i)
                 insert into jobs.wakes (tenant_number, queue, lane_id) select l.tenant_number, l.queue, l.id from l"
            }
            Beside::Completed => {
                "insert into jobs.history (id, tenant_number, lane_id, queue, kind, state, attempt, run_at, leased_at, finished_at)
                   select -i, l.tenant_number, l.id, l.queue, k.id, 'completed', 1, now(), now(), now()
                     from (select * from jobs.lanes order by id limit 1) l, (select id from jobs.kinds where name = 'bench.noop') k, generate_series(1, $1) i"
            }
        };
        sqlx::query(fill).bind(i64::from(count)).execute(&mut self.owner).await?;
        Ok(())
    }

    /// How long jobs of the second tenant took from when they were due until their end was committed, in milliseconds, sorted.
    pub async fn seconds_ms(&mut self) -> Result<Vec<f64>> {
        let took = sqlx::query_scalar(
            "select (extract(epoch from finished_at - run_at) * 1000)::float8 from jobs.history
              where tenant_number = (select number from crm.tenants where slug = 'bench-1') order by 1",
        );
        Ok(took.fetch_all(&mut self.owner).await?)
    }

    /// When jobs were leased, in seconds, in order.
    pub async fn lease_times(&mut self) -> Result<Vec<f64>> {
        let times = sqlx::query_scalar("select extract(epoch from leased_at)::float8 from jobs.history order by 1");
        Ok(times.fetch_all(&mut self.owner).await?)
    }

    /// Writes out and tidies, so that a drain does not pay for what came before.
    pub async fn settle(&mut self) -> Result<()> {
        sqlx::query("checkpoint").execute(&mut self.owner).await?;
        sqlx::query("vacuum analyze").execute(&mut self.owner).await?;
        Ok(())
    }

    /// Opens a transaction that sees everything as it is now, and keeps it open to the end.
    pub async fn pin(&mut self) -> Result<()> {
        let mut pin = PgConnection::connect(&self.cluster.url(SUPERUSER, DATABASE)).await?;
        sqlx::query("begin isolation level repeatable read").execute(&mut pin).await?;
        sqlx::query("select count(*) from jobs.queues").execute(&mut pin).await?;
        self.pin = Some(pin);
        Ok(())
    }

    /// Reads the meters of the server and of our processes.
    pub async fn read(&mut self, ours: &[u32]) -> Result<Meters> {
        let wal = sqlx::query_scalar("select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint")
            .fetch_one(&mut self.owner)
            .await?;
        let postmaster = self.cluster.pid().context("the server has been stopped")?;
        Ok(Meters { spent: cpu::spent(postmaster, ours), wal })
    }

    /// Whether no job is left; what has been committed is seen.
    pub async fn is_empty(&mut self) -> Result<bool> {
        let is_empty = sqlx::query_scalar(
            "select not exists (select from jobs.lanes l cross join lateral (select from jobs.jobs j where j.lane_id = l.id limit 1) z where l.key not in ('beside', 'small'))",
        );
        Ok(is_empty.fetch_one(&mut self.owner).await?)
    }

    /// Refuses a run in which a job is missing, ran twice or is still there.
    pub async fn check(&mut self, jobs: u32) -> Result<()> {
        let (completed, distinct, other, left): (i64, i64, i64, i64) = sqlx::query_as(
            "select count(*) filter (where state = 'completed' and attempt = 1), count(distinct id), count(*) filter (where state <> 'completed'),
                    (select count(*) from jobs.jobs j join jobs.lanes l on l.id = j.lane_id where l.key <> 'beside') + (select count(*) from jobs.scheduled where run_at < now() + interval '1 hour') + (select count(*) from jobs.failures)
               from jobs.history where id > 0",
        )
        .fetch_one(&mut self.owner)
        .await?;
        let wanted = i64::from(jobs);
        if (completed, distinct, other, left) != (wanted, wanted, 0, 0) {
            bail!(
                "of {jobs} jobs {completed} completed at the first start, {distinct} are in the history, {other} ended otherwise, {left} are left"
            );
        }
        Ok(())
    }

    /// Refuses a run that inserted another number of jobs.
    pub async fn check_waiting(&mut self, jobs: u32) -> Result<()> {
        let waiting: i64 = sqlx::query_scalar("select count(*) from jobs.jobs").fetch_one(&mut self.owner).await?;
        if waiting != i64::from(jobs) {
            bail!("of {jobs} jobs {waiting} wait");
        }
        Ok(())
    }

    /// How long jobs held their slot, in milliseconds.
    pub async fn held_ms(&mut self) -> Result<Vec<f64>> {
        let held = sqlx::query_scalar(
            "select (extract(epoch from finished_at - leased_at) * 1000)::float8 from jobs.history where id > 0 order by 1",
        );
        Ok(held.fetch_all(&mut self.owner).await?)
    }
}

impl Meters {
    /// What each of `jobs` used since `earlier`.
    pub fn used(self, earlier: Self, jobs: u32) -> Used {
        let spent = self.spent.since(earlier.spent);
        let each = f64::from(jobs);
        Used {
            server_us: spent.server.as_secs_f64() * 1e6 / each,
            client_us: spent.client.as_secs_f64() * 1e6 / each,
            wal_bytes: (self.wal - earlier.wal) as f64 / each,
        }
    }
}

/// A tenant whose jobs are measured.
pub async fn make_tenant(db: &Db, slug: &str) -> Result<Uuid> {
    let password = crm::secrets::random_token();
    let owner = NewUser::prepare(&format!("owner@{slug}.example"), "Owner", Role::Owner, password.into()).await?;
    let new = NewTenant {
        slug: slug.to_owned(),
        name: "Bench".to_owned(),
        region: "US".to_owned(),
        time_zone: "UTC".to_owned(),
        owner,
    };
    let mut tx = db.platform(Why::Operator).await?;
    let (tenant, _) = tenants::create(&mut tx, new).await?;
    tx.commit().await?;
    Ok(tenant.id.uuid())
}
