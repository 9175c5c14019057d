//! `paloma tenants`: the customers of the installation.

use super::{On, Paging};
use crate::print::{self, Column, or_dash, time};
use anyhow::{Result, bail};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use crm::access::Role;
use crm::access::users::{NewUser, User};
use crm::tenancy::costs::{self, Cost};
use crm::tenancy::tenants::{self, NewTenant, TenantId};
use crm::tenancy::{State, Tenant};
use db::Why;
use serde::Serialize;
use std::io::BufRead;

/// What can be done with tenants.
#[derive(Debug, Subcommand)]
pub enum TenantsVerb {
    /// Tenants, newest first.
    List(Paging),
    /// Make a tenant and the user who owns it.
    Create(Create),
    /// What tenants cost the queue, by hour and kind, newest first.
    Costs(Costs),
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
    ("state", |tenant| state(tenant.state).to_owned()),
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

const fn state(state: State) -> &'static str {
    match state {
        State::Active => "active",
        State::PastDue => "past_due",
        State::Suspended => "suspended",
        State::Closed => "closed",
    }
}

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
            print::page(on.operator.json, &tenants::list(&mut tx, paging.of()?).await?, COLUMNS)
        }
        TenantsVerb::Costs(Costs { tenant, kind, since, until, paging }) => {
            let filter = costs::Filter { tenant, kind: kind.as_deref(), since, until };
            let mut tx = on.operator.tx().await?;
            print::page(on.operator.json, &costs::list(&mut tx, &filter, &paging.of()?).await?, COSTS)
        }
        TenantsVerb::Create(create) => {
            let db = on.operator.db().await?;
            let password = create.owner_password.map_or_else(first_line, Ok)?;
            let owner = NewUser::prepare(&create.owner_email, &create.owner_name, Role::Owner, password.into()).await?;
            let name = create.name.unwrap_or_else(|| create.slug.clone());
            let (slug, region, time_zone) = (create.slug, create.region, create.time_zone);
            let mut tx = db.platform(Why::Operator).await?;
            let (tenant, owner) = tenants::create(&mut tx, NewTenant { slug, name, region, time_zone, owner }).await?;
            tx.commit().await?;
            if on.operator.json {
                return print::json(&Created { tenant, owner });
            }
            println!("tenant {} ({}): made; its owner logs in as {}", tenant.slug, tenant.id, owner.email);
            Ok(())
        }
    }
}

fn first_line() -> Result<String> {
    eprintln!("the owner's password, on one line:");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    if password.is_empty() { bail!("no password given") } else { Ok(password) }
}
