//! The audience of a campaign before it is frozen: who would get it, and who would be skipped for which reason.

use std::collections::BTreeMap;

use db::{Scope, TenantTx};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Campaign;
use crate::{
    Error,
    contacts::filter::ContactFilter,
    text::{STANDARD_VARIABLES, Template},
};

/// Whom a campaign would reach: selected = eligible + the sum of skipped.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Audience {
    /// Contacts chosen.
    pub selected: i64,
    /// Contacts that would get the message.
    pub eligible: i64,
    /// Contacts that would not, by reason.
    pub skipped: BTreeMap<String, i64>,
}

/// Which contacts are chosen: those of an import, those of a filter, or all.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    import_id: Option<Uuid>,
    /// The filter in the terms of the search behind the wall.
    terms: Option<Value>,
}

impl Chosen {
    /// Those of a campaign.
    pub(super) async fn of(tx: &mut TenantTx, campaign: &Campaign) -> Result<Self, Error> {
        Self::by(tx, campaign.import_id, campaign.audience.as_deref()).await
    }

    /// Those of an import or of a filter.
    pub async fn by(tx: &mut TenantTx, import_id: Option<Uuid>, filter: Option<&ContactFilter>) -> Result<Self, Error> {
        if import_id.is_some() && filter.is_some() {
            return Err(Error::invalid("filter", "audience_twice", "choose an import or a filter"));
        }
        if let Some(import) = import_id {
            import_exists(tx, import).await?;
        }
        let terms = match filter {
            Some(filter) => Some(filter.terms(tx).await?),
            None => None,
        };
        // a filter that narrows nothing means all, who need no search
        Ok(Self { import_id, terms: terms.filter(|terms| terms.as_object().is_none_or(|terms| !terms.is_empty())) })
    }
}

/// NotFound where it does not.
pub(super) async fn import_exists(tx: &mut TenantTx, import: Uuid) -> Result<(), Error> {
    let exists: bool =
        sqlx::query_scalar("select exists (select from crm.imports where tenant_id = app.tenant_id() and id = $1)")
            .bind(import)
            .fetch_one(tx.conn())
            .await?;
    if exists { Ok(()) } else { Err(Error::NotFound) }
}

/// Counts whom a message to the chosen would reach. Of an address only its first contact gets it.
pub async fn count(tx: &mut TenantTx, chosen: &Chosen) -> Result<Audience, Error> {
    let rows = match &chosen.terms {
        Some(terms) => {
            sqlx::query_as("select a.reason, a.count from crm.count_audience($1) a")
                .bind(terms)
                .fetch_all(tx.conn())
                .await?
        }
        None => count_imported(tx, chosen.import_id).await?,
    };
    let mut audience = Audience { selected: 0, eligible: 0, skipped: BTreeMap::new() };
    for (reason, count) in rows {
        audience.selected += count;
        match reason {
            None => audience.eligible += count,
            Some(reason) => {
                audience.skipped.insert(reason, count);
            }
        }
    }
    Ok(audience)
}

async fn count_imported(tx: &mut TenantTx, import: Option<Uuid>) -> Result<Vec<(Option<String>, i64)>, Error> {
    let rows = sqlx::query_as(
        // planned by its values each time: what is not chosen by costs nothing
        "with c as materialized (
           select k.phone, count(*) as n
             from crm.contacts k
            where k.tenant_id = app.tenant_id()
              and ($1::uuid is null or exists (select from crm.import_phones p where p.tenant_id = k.tenant_id and p.import_id = $1 and p.contact_id = k.id))
            group by k.phone),
         s as (select s.address, max(s.reason) as reason from crm.suppressions s where s.tenant_id = app.tenant_id() group by 1)
         select case when c.phone is null then 'no_phone' else s.reason end, sum(case when c.phone is null then c.n else 1 end)::bigint
           from c left join s on s.address = c.phone group by 1
         union all
         select 'duplicate_address', sum(c.n - 1)::bigint from c where c.phone is not null having sum(c.n - 1) > 0",
    )
    .bind(import)
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

/// Refuses a variable that is neither standard nor an attribute of anybody in the audience (D15).
pub async fn check_variables(tx: &mut TenantTx, chosen: &Chosen, template: &Template) -> Result<(), Error> {
    let mut attributes = Vec::new();
    for name in template.variables() {
        if STANDARD_VARIABLES.contains(&name) {
            continue;
        }
        let known: bool = sqlx::query_scalar(
            "select exists (
               select from crm.contacts k
                where k.tenant_id = app.tenant_id() and jsonb_exists(k.attributes, $2)
                  and ($1::uuid is null or exists (select from crm.import_phones p where p.tenant_id = k.tenant_id and p.import_id = $1 and p.contact_id = k.id))
                  and ($3::jsonb is null or k.id in (select m.id from crm.match_contacts($3, null, null) m)))",
        )
        .bind(chosen.import_id)
        .bind(name)
        .bind(&chosen.terms)
        .persistent(false)
        .fetch_one(tx.conn())
        .await?;
        if known {
            attributes.push(name.to_owned());
        }
    }
    template
        .check(|name| STANDARD_VARIABLES.contains(&name) || attributes.iter().any(|known| known == name))
        .map_err(|error| Error::invalid("body", error.code(), error.to_string()))
}
