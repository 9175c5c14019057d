//! Addresses nobody may write to. A person puts them on the list and takes them off; the words of opt-out act elsewhere and land here too.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use db::{Page, PageOf, Scope, TenantTx};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{contact, home_region, stored_region};
use crate::{
    Error,
    phone::{self, Region},
    tenancy::settings,
};

/// Why an address is on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = SuppressionReason)]
pub enum Reason {
    /// Its owner said stop.
    OptedOut,
    /// The tenant does not want to write to it.
    Blacklisted,
    /// Its owner wrote something that may mean stop; a person has to decide.
    OptOutReview,
}

/// An address on the list, for one reason.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Suppression {
    /// A phone in E.164, or an e-mail address.
    pub address: String,
    /// Why.
    pub reason: Reason,
    /// By what it came here: keyword, api.
    pub source: String,
    /// The message that said so.
    pub message_id: Option<Uuid>,
    /// Who put it here.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// The key of the list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SuppressionKey(String, String);

/// Narrows the list.
#[derive(Debug, Default)]
pub struct Filter {
    /// Those of this reason.
    pub reason: Option<Reason>,
    /// Those of this address, however it is written.
    pub address: Option<String>,
}

/// The list, by address.
pub async fn list(
    tx: &mut TenantTx,
    filter: &Filter,
    page: &PageOf<SuppressionKey>,
) -> Result<Page<Suppression>, Error> {
    let address = match &filter.address {
        Some(address) => Some(normalise(tx, address).await?),
        None => None,
    };
    let rows: Vec<Suppression> = sqlx::query_as(
        "select s.address, s.reason, s.source, s.message_id, s.created_by, s.created_at
         from crm.suppressions s
         where s.tenant_id = app.tenant_id()
           and ($1::text is null or (s.address, s.reason) > ($1, $2))
           and ($3::text is null or s.reason = $3)
           and ($5::text is null or s.address = $5)
         order by s.address, s.reason
         limit $4",
    )
    .bind(page.after.as_ref().map(|key| key.0.as_str()))
    .bind(page.after.as_ref().map(|key| key.1.as_str()))
    .bind(filter.reason)
    .bind(page.fetch())
    .bind(address)
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row| SuppressionKey(row.address.clone(), row.reason.name().to_owned())))
}

/// Puts an address on the list. One that is there for that reason already stays as it is.
pub async fn add(tx: &mut TenantTx, address: &str, reason: Reason) -> Result<Suppression, Error> {
    if reason == Reason::OptOutReview {
        let message = "only a message asks for a decision; use blacklisted or opted_out";
        return Err(Error::invalid("reason", "reason_not_allowed", message));
    }
    let address = normalise(tx, address).await?;
    sqlx::query(
        "insert into crm.suppressions (address, reason, source) values ($1, $2, 'api')
         on conflict on constraint suppressions_pkey do nothing",
    )
    .bind(&address)
    .bind(reason)
    .execute(tx.conn())
    .await?;
    let row = sqlx::query_as(
        "select s.address, s.reason, s.source, s.message_id, s.created_by, s.created_at
         from crm.suppressions s where s.tenant_id = app.tenant_id() and s.address = $1 and s.reason = $2",
    )
    .bind(&address)
    .bind(reason)
    .fetch_one(tx.conn())
    .await?;
    Ok(row)
}

/// Takes an address off the list: for one reason, or for all of them.
pub async fn remove(tx: &mut TenantTx, address: &str, reason: Option<Reason>) -> Result<(), Error> {
    let address = normalise(tx, address).await.map_err(|_| Error::NotFound)?;
    let removed = sqlx::query(
        "delete from crm.suppressions
         where tenant_id = app.tenant_id() and address = $1 and ($2::text is null or reason = $2)",
    )
    .bind(&address)
    .bind(reason)
    .execute(tx.conn())
    .await?;
    if removed.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// The address as messages carry it: one number has one spelling, or the list could be walked around. One that is another number for an organization in another
/// country is asked for with its country code, so that nobody is written to who was meant.
async fn normalise(tx: &mut TenantTx, address: &str) -> Result<String, Error> {
    let home = normalise_in(address, home_region(tx).await?);
    for region in settings::regions_set(tx).await? {
        let there = normalise_in(address, stored_region(&region)?);
        if there.is_ok() && there.as_ref().ok() != home.as_ref().ok() {
            let message =
                "write the number with its country code: the account's organizations are in several countries";
            return Err(Error::invalid("address", "address_ambiguous", message));
        }
    }
    home
}

/// The same where the tenant's country is known.
pub(crate) fn normalise_in(address: &str, region: Region) -> Result<String, Error> {
    if address.contains('@') {
        return contact::email("address", address);
    }
    let parsed =
        phone::parse(address, region).map_err(|error| Error::invalid("address", error.code(), error.to_string()))?;
    Ok(parsed.phone.as_str().to_owned())
}

/// Which of these addresses are on the list, whatever the reason.
pub(crate) async fn among(tx: &mut TenantTx, addresses: &[&str]) -> Result<HashSet<String>, Error> {
    let found: Vec<String> = sqlx::query_scalar(
        "select distinct s.address from crm.suppressions s where s.tenant_id = app.tenant_id() and s.address = any($1)",
    )
    .bind(addresses)
    .fetch_all(tx.conn())
    .await?;
    Ok(found.into_iter().collect())
}

impl Reason {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OptedOut => "opted_out",
            Self::Blacklisted => "blacklisted",
            Self::OptOutReview => "opt_out_review",
        }
    }
}
