//! `paloma tenants`: the customers of the installation.

use super::{Done, On, Operator, Paging};
use crate::print::{self, Column, or_dash, time};
use anyhow::{Result, anyhow, bail};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use crm::Error;
use crm::access::Role;
use crm::access::users::{NewUser, User};
use crm::tenancy::Tenant;
use crm::tenancy::costs::{self, Cost};
use crm::tenancy::quotas::{self, QueueQuota};
use crm::tenancy::tenants::{self, Filter, NewTenant, TenantId};
use db::{Actor, PlatformTx};
use jobs::admin::By;
use serde::Serialize;
use std::io::BufRead;

/// What can be done with tenants.
#[derive(Debug, Subcommand)]
pub enum TenantsVerb {
    /// Tenants, newest first.
    List(Paging),
    /// Make a tenant and the user who owns it.
    Create(Create),
    /// What a tenant may have queued.
    Quota {
        /// Its id, as the list shows it.
        id: TenantId,
    },
    /// Set what a tenant may have queued.
    SetQuota(SetQuota),
    /// Give a tenant the quota that holds for all.
    ResetQuota(Act),
    /// What tenants cost the queue, by hour and kind, newest first.
    Costs(Costs),
}

/// Which tenant, and why.
#[derive(Debug, Args)]
pub struct Act {
    /// Its id, as the list shows it.
    id: TenantId,
    /// Why, in 1 to 500 characters: kept in the audit.
    #[arg(long)]
    reason: String,
}

/// A new quota.
#[derive(Debug, Args)]
pub struct SetQuota {
    #[command(flatten)]
    act: Act,
    /// Jobs that wait, are due later or run: 10000 or more.
    #[arg(long)]
    most_jobs: i64,
    /// Bytes of their payloads as stored: 67108864 or more.
    #[arg(long)]
    most_bytes: i64,
}

/// Which hours of whom.
#[derive(Debug, Args)]
pub struct Costs {
    /// Of that tenant, by its id.
    #[arg(long)]
    tenant: Option<TenantId>,
    /// Of that kind of job, campaigns.send.
    #[arg(long)]
    kind: Option<String>,
    /// That began then or later, 2026-01-31T00:00:00Z.
    #[arg(long)]
    since: Option<DateTime<Utc>>,
    /// That began before.
    #[arg(long)]
    until: Option<DateTime<Utc>>,
    #[command(flatten)]
    paging: Paging,
}

/// A new tenant.
#[derive(Debug, Args)]
pub struct Create {
    /// The short name of addresses and log-ins, unique: a-z, 0-9 and -.
    slug: String,
    /// The name; otherwise the short one.
    #[arg(long)]
    name: Option<String>,
    /// Country whose phone numbers need no prefix, ISO 3166.
    #[arg(long, default_value = "US")]
    region: String,
    /// Zone of its clock, Europe/Berlin.
    #[arg(long, default_value = "UTC")]
    time_zone: String,
    /// The owner's e-mail.
    #[arg(long)]
    owner_email: String,
    /// The owner's name.
    #[arg(long, default_value = "Owner")]
    owner_name: String,
    /// The owner's password; otherwise the first line of standard input, which no list of processes shows.
    #[arg(long, env = "PALOMA_OWNER_PASSWORD", hide_env_values = true)]
    owner_password: Option<String>,
}

const COLUMNS: &[Column<Tenant>] = &[
    ("id", |tenant| tenant.id.to_string()),
    ("slug", |tenant| tenant.slug.clone()),
    ("name", |tenant| tenant.name.clone()),
    ("region", |tenant| tenant.region.clone()),
    ("zone", |tenant| tenant.time_zone.clone()),
    ("state", |tenant| tenant.state.name().to_owned()),
    ("made", |tenant| time(Some(tenant.created_at))),
];

const COSTS: &[Column<Cost>] = &[
    ("hour", |cost| time(Some(cost.hour))),
    ("tenant", |cost| or_dash(cost.tenant.as_ref())),
    ("kind", |cost| cost.kind.clone()),
    ("jobs", |cost| cost.jobs.to_string()),
    ("waited", |cost| format!("{:.1} s", cost.wait_s)),
    ("ran", |cost| format!("{:.1} s", cost.run_s)),
    ("retries", |cost| cost.retries.to_string()),
    ("discarded", |cost| cost.discarded.to_string()),
    ("cancelled", |cost| cost.cancelled.to_string()),
];

#[derive(Debug, Serialize)]
struct Created {
    tenant: Tenant,
    owner: User,
}

/// Does what the verb says.
pub async fn tenants(on: On<TenantsVerb>) -> Result<()> {
    match on.verb {
        TenantsVerb::List(paging) => {
            let mut tx = on.operator.tx().await?;
            print::page(on.operator.json, &tenants::list(&mut tx, &Filter::default(), paging.of()?).await?, COLUMNS)
        }
        TenantsVerb::Costs(Costs { tenant, kind, since, until, paging }) => {
            let filter = costs::Filter { tenant, kind: kind.as_deref(), since, until };
            let mut tx = on.operator.tx().await?;
            print::page(on.operator.json, &costs::list(&mut tx, &filter, &paging.of()?).await?, COSTS)
        }
        TenantsVerb::Create(create) => {
            let password = create.owner_password.map_or_else(first_line, Ok)?;
            let owner = NewUser::prepare(&create.owner_email, &create.owner_name, Role::Owner, password.into()).await?;
            let name = create.name.unwrap_or_else(|| create.slug.clone());
            let (slug, region, time_zone) = (create.slug, create.region, create.time_zone);
            let mut tx = on.operator.tx().await?;
            let (tenant, owner) = tenants::create(&mut tx, NewTenant { slug, name, region, time_zone, owner }).await?;
            tx.commit().await?;
            if on.operator.json {
                return print::json(&Created { tenant, owner });
            }
            let (slug, id, email) = (tenant.slug, tenant.id, owner.email);
            print::line(format_args!("tenant {slug} ({id}): made; its owner logs in as {email}"))
        }
        TenantsVerb::Quota { id } => {
            let mut tx = on.operator.tx().await?;
            let quota = quotas::get(&mut tx, id).await.map_err(|error| told(id, error))?;
            print::one(on.operator.json, &quota, QUOTA)
        }
        TenantsVerb::SetQuota(SetQuota { act, most_jobs, most_bytes }) => {
            let mut tx = on.operator.tx().await?;
            let quota = QueueQuota { most_jobs, most_bytes };
            let set = quotas::set(&mut tx, act.id, quota, &act.by()?).await;
            set.map_err(|error| told(act.id, error))?;
            act.finish(&on.operator, tx, "quota set").await
        }
        TenantsVerb::ResetQuota(act) => {
            let mut tx = on.operator.tx().await?;
            quotas::reset(&mut tx, act.id, &act.by()?).await.map_err(|error| told(act.id, error))?;
            act.finish(&on.operator, tx, "quota reset").await
        }
    }
}

const QUOTA: &[Column<QueueQuota>] =
    &[("jobs", |quota| quota.most_jobs.to_string()), ("bytes", |quota| quota.most_bytes.to_string())];

/// A refusal in words that name the tenant and the field.
fn told(id: TenantId, error: Error) -> anyhow::Error {
    match error {
        Error::NotFound => anyhow!("there is no tenant {id}"),
        Error::Invalid { field, message, .. } => anyhow!("{field}: {message}"),
        error => error.into(),
    }
}

impl Act {
    fn by(&self) -> Result<By> {
        Ok(By::new(Actor::Operator, &self.reason)?)
    }
    async fn finish(&self, operator: &Operator, tx: PlatformTx, act: &str) -> Result<()> {
        operator.commit(tx, Done { thing: "tenant", id: self.id, act, reason: &self.reason }).await
    }
}

fn first_line() -> Result<String> {
    eprintln!("the owner's password, on one line:");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    if password.is_empty() { bail!("no password given") } else { Ok(password) }
}
