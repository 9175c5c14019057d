//! The audience of a campaign before it is frozen: who would get it, and who would be skipped for which reason.

use std::collections::BTreeMap;

use db::{Scope, TenantTx};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    Error,
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

/// Counts the audience of an import, or of all contacts.
pub async fn count(tx: &mut TenantTx, import_id: Option<Uuid>) -> Result<Audience, Error> {
    let rows: Vec<(Option<String>, i64)> = sqlx::query_as(
        "with c as (
           select k.phone, row_number() over (partition by k.phone order by k.id) as nth
             from crm.contacts k
            where k.tenant_id = app.tenant_id()
              and ($1::uuid is null or exists (select from crm.import_phones p where p.tenant_id = k.tenant_id and p.import_id = $1 and p.contact_id = k.id))),
         s as (select s.address, max(s.reason) as reason from crm.suppressions s where s.tenant_id = app.tenant_id() group by 1)
         select case when c.phone is null then 'no_phone' when c.nth > 1 then 'duplicate_address' else s.reason end as reason, count(*)
           from c left join s on s.address = c.phone group by 1",
    )
    .bind(import_id)
    .fetch_all(tx.conn())
    .await?;
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

/// Refuses a variable that is neither standard nor an attribute of anybody in the audience (D15).
pub async fn check_variables(tx: &mut TenantTx, import_id: Option<Uuid>, template: &Template) -> Result<(), Error> {
    let mut attributes = Vec::new();
    for name in template.variables() {
        if STANDARD_VARIABLES.contains(&name) {
            continue;
        }
        let known: bool = sqlx::query_scalar(
            "select exists (
               select from crm.contacts k
                where k.tenant_id = app.tenant_id() and jsonb_exists(k.attributes, $2)
                  and ($1::uuid is null or exists (select from crm.import_phones p where p.tenant_id = k.tenant_id and p.import_id = $1 and p.contact_id = k.id)))",
        )
        .bind(import_id)
        .bind(name)
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
