//! Fills a database with made-up tenants of any size, as years of use would leave it, to measure and to try things on. The same seed and day
//! make the same rows. Writes as the owner past the wall and past triggers, whose work it does itself, all in one transaction: an interrupted
//! seeding leaves nothing behind.

mod copy;
mod dice;
mod fill;
mod indexes;
mod tenant;
pub mod words;

use crate::print;
use anyhow::{Context, Result, bail};
use clap::Args;
use copy::Copy;
use serde::Serialize;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use std::time::{Duration, Instant};
use tenant::Tenant;

const YEAR: i64 = 365 * 24 * 3600 * 1_000_000;
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// How much is made.
#[derive(Debug, Clone, Args)]
pub struct Size {
    /// Conversations of all tenants together.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=9_000_000))]
    pub conversations: u64,
    /// Messages of all tenants together; no conversation is without.
    #[arg(long, default_value_t = 1_000_000)]
    pub messages: u64,
    /// Tenants.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub tenants: u32,
    /// Conversations of the largest; otherwise half of them.
    #[arg(long)]
    pub largest: Option<u64>,
    /// What chance follows from.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// `paloma seed`: which database, and how much.
#[derive(Debug, Args)]
pub struct SeedArguments {
    #[command(flatten)]
    size: Size,
    /// The database, for a superuser; otherwise the embedded one of `paloma run`.
    #[arg(long, env = "PALOMA_OWNER_DATABASE_URL", hide_env_values = true)]
    owner_database_url: Option<String>,
    /// The password of all users that are made; otherwise a random one, which is told.
    #[arg(long, env = "PALOMA_SEED_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Beside tenants that are there already. Their indexes stay in use, so it takes longer.
    #[arg(long)]
    beside: bool,
    /// Answer with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// What was made, and how long it took.
#[derive(Debug, Serialize)]
pub struct Seeded {
    /// Of all tenants.
    pub conversations: u64,
    /// Of all tenants.
    pub messages: u64,
    /// Of all tenants.
    pub contacts: u64,
    /// How many.
    pub tenants: u32,
    /// The short name of the largest.
    pub slug: String,
    /// Who may log in there; the others have `owner@SLUG.example`.
    pub email: String,
    /// Writing rows.
    pub rows_s: f64,
    /// Building indexes.
    pub indexes_s: f64,
    /// All of it, with what the planner has to know.
    pub all_s: f64,
}

/// A transaction into which rows are written.
struct Filling<'a> {
    owner: &'a mut PgConnection,
    /// The tables are of this transaction, so that rows need no look later.
    is_fresh: bool,
    password_hash: &'a str,
    /// The place of the next message.
    position: i64,
}

impl Filling<'_> {
    async fn copy(&mut self, statement: &str, columns: i16) -> Result<Copy<'_>> {
        let frozen = if self.is_fresh { ", freeze" } else { "" };
        let table = statement.split_whitespace().nth(1).unwrap_or_default();
        let copy = Copy::begin(self.owner, &format!("{statement} with (format binary{frozen})"), columns).await;
        copy.with_context(|| format!("writing {table}"))
    }
}

/// Says now and then how far it is.
struct Progress {
    begun: Instant,
    told: Instant,
    done: u64,
    of: u64,
}

impl Progress {
    fn step(&mut self) {
        self.done += 1;
        if self.done.is_multiple_of(10_000) && self.told.elapsed() > TOLD_EVERY {
            self.told = Instant::now();
            eprintln!("{} of {} messages after {:.0} s", self.done, self.of, self.begun.elapsed().as_secs_f64());
        }
    }
}

impl Size {
    fn sizes(&self) -> Result<Vec<(u64, u64)>> {
        let largest = self.largest.unwrap_or(self.conversations / 2).max(1);
        if self.messages < self.conversations {
            bail!("each conversation has a message or more: give as many messages as conversations");
        }
        let fits = largest <= self.conversations && self.conversations - largest >= u64::from(self.tenants) - 1;
        if !fits {
            bail!(
                "each tenant has a conversation or more: {} do not do for the largest and the others",
                self.conversations
            );
        }
        let sizes = tenant::sizes(self.conversations, self.tenants, largest);
        let mut messages: Vec<u64> = sizes.iter().map(|size| size * self.messages / self.conversations).collect();
        // what rounding left
        messages[0] += self.messages - messages.iter().sum::<u64>();
        Ok(sizes.into_iter().zip(messages).collect())
    }
}

/// Fills the database and says what came of it.
pub async fn obey(arguments: SeedArguments) -> Result<()> {
    let given = arguments.owner_database_url.as_deref();
    let url = crate::operate::owner_address(given)?;
    let random: String = rand::random::<[u8; 12]>().iter().map(|byte| format!("{byte:02x}")).collect();
    let password = arguments.password.clone().unwrap_or(random);
    let seeded = seed(&url, &arguments.size, &password, arguments.beside).await?;
    if arguments.json {
        let mut answer = serde_json::to_value(&seeded)?;
        answer["password"] = serde_json::json!(password);
        return print::json(&answer);
    }
    print::line(format_args!(
        "{} conversations with {} messages and {} contacts of {} tenants in {:.0} s ({:.0} s rows, {:.0} s indexes)\nthe largest: {}  login {}  password {password}",
        seeded.conversations,
        seeded.messages,
        seeded.contacts,
        seeded.tenants,
        seeded.all_s,
        seeded.rows_s,
        seeded.indexes_s,
        seeded.slug,
        seeded.email
    ))
}

/// Fills a database that has the schema; `url` is a superuser's.
pub async fn seed(url: &str, size: &Size, password: &str, beside: bool) -> Result<Seeded> {
    let sizes = size.sizes()?;
    let begun = Instant::now();
    let hash = crm::access::password::hash("password", password.to_owned().into()).await?;
    // each statement is slow here, and says so by its own line
    let options: PgConnectOptions = url.parse().context("reading the address of the database")?;
    let mut owner = options.disable_statement_logging().connect().await.context("connecting to the database")?;
    let until = check(&mut owner, beside).await?;
    sqlx::raw_sql(
        "begin; set local session_replication_role = replica; set local synchronous_commit = off;
         set local maintenance_work_mem = '1GB'; set local max_parallel_maintenance_workers = 2",
    )
    .execute(&mut owner)
    .await
    .context("writing past the triggers, which a superuser may")?;
    if !beside {
        indexes::put_away(&mut owner).await?;
        // nobody is there: so the rows are those of a new table, written for good at once
        sqlx::raw_sql("truncate crm.users, crm.lines, crm.labels, crm.contacts, crm.conversations, crm.messages, crm.message_reactions, crm.conversation_labels, crm.reads, crm.unreads, crm.notes, crm.suppressions cascade")
            .execute(&mut owner)
            .await?;
    }
    let position = sqlx::query_scalar("select crm.last_position()").fetch_one(&mut owner).await?;
    let mut filling = Filling { owner: &mut owner, is_fresh: !beside, password_hash: &hash, position };
    filling.position += 1;
    let mut progress = Progress { begun, told: begun, done: 0, of: size.messages };
    let mut contacts = 0;
    let mut slug = String::new();
    for (number, size_of) in (0..).zip(sizes) {
        let tenant = Tenant::new(size.seed, number, size_of, (until - 2 * YEAR, until));
        contacts += fill_tenant(&mut filling, &tenant, &mut progress).await.with_context(|| tenant.slug())?;
        if number == 0 {
            slug = tenant.slug();
        }
    }
    let position = filling.position;
    let rows_s = begun.elapsed().as_secs_f64();
    finish(&mut owner, position, begun).await?;
    let indexes_s = begun.elapsed().as_secs_f64() - rows_s;
    sqlx::raw_sql("commit").execute(&mut owner).await?;
    // vacuum, too: what the planner knows of pages that all may see is written only by it
    sqlx::raw_sql("vacuum (analyze)").execute(&mut owner).await?;
    owner.close().await?;
    let email = format!("owner@{slug}.example");
    let all_s = begun.elapsed().as_secs_f64();
    let (conversations, messages, tenants) = (size.conversations, size.messages, size.tenants);
    Ok(Seeded { conversations, messages, contacts, tenants, slug, email, rows_s, indexes_s, all_s })
}

/// Refuses a database that is in use; answers the beginning of today, up to which messages were written.
async fn check(owner: &mut PgConnection, beside: bool) -> Result<i64> {
    let is_used: bool = sqlx::query_scalar("select exists (select from crm.tenants)")
        .fetch_one(&mut *owner)
        .await
        .context("the schema is missing: run `paloma migrate`")?;
    if is_used && !beside {
        bail!("there are tenants already: say --beside to put the made-up ones beside them");
    }
    let today = sqlx::query_scalar("select (extract(epoch from date_trunc('day', now(), 'UTC')) * 1000000)::bigint");
    Ok(today.fetch_one(owner).await?)
}

async fn fill_tenant(filling: &mut Filling<'_>, tenant: &Tenant, progress: &mut Progress) -> Result<u64> {
    sqlx::query(
        "insert into crm.tenants (id, slug, name, region, time_zone) values ($1, $2, $3, 'US', 'America/New_York')",
    )
    .bind(tenant.id)
    .bind(tenant.slug())
    .bind(format!("Seed {}", tenant.number))
    .execute(&mut *filling.owner)
    .await?;
    fill::people(filling, tenant).await?;
    let contacts = fill::contacts(filling, tenant).await?;
    let stands = fill::messages(filling, tenant, progress).await?;
    fill::conversations(filling, tenant, &stands).await?;
    Ok(contacts)
}

/// What triggers and sequences would have done, and the indexes.
async fn finish(owner: &mut PgConnection, position: i64, begun: Instant) -> Result<()> {
    sqlx::query("select setval('crm.positions', $1)").bind(position).execute(&mut *owner).await?;
    sqlx::raw_sql(
        "insert into crm.conversation_counts (tenant_id, state, assignee, count)
           select c.tenant_id, c.state, coalesce(c.assignee_id, '00000000-0000-0000-0000-000000000000'), count(*) from crm.conversations c
            where not exists (select from crm.conversation_counts k where k.tenant_id = c.tenant_id)
              and not exists (select from crm.conversation_deltas d where d.tenant_id = c.tenant_id)
            group by 1, 2, 3;
         insert into crm.usage (tenant_id, measure, day, channel, amount)
           select z.tenant_id, z.measure, (z.at at time zone t.time_zone)::date, z.channel, count(*) from (
             select c.tenant_id, 'contacts' as measure, c.created_at as at, '' as channel from crm.contacts c
             union all
             select m.tenant_id, case m.direction when 'inbound' then 'messages_in' else 'messages_out' end, m.created_at, m.service from crm.messages m
              where m.direction = 'inbound' or m.sent_at is not null and m.source <> 'campaign') z
             join crm.tenants t on t.id = z.tenant_id
            where not exists (select from crm.usage u where u.tenant_id = z.tenant_id)
              and not exists (select from crm.usage_log l where l.tenant_id = z.tenant_id)
            group by 1, 2, 3, 4",
    )
    .execute(&mut *owner)
    .await?;
    let there: bool =
        sqlx::query_scalar("select to_regclass('pg_temp.put_away') is not null").fetch_one(&mut *owner).await?;
    if there {
        while let Some(name) = indexes::build_next(owner).await? {
            eprintln!("{name} built after {:.0} s", begun.elapsed().as_secs_f64());
        }
    }
    Ok(())
}
