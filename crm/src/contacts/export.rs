//! Contacts as lines of a CSV file that a spreadsheet opens safely and an import takes back unchanged.

use std::collections::BTreeMap;

use db::{Scope, TenantTx};
use serde_json::Value;
use sqlx::types::Json;

use super::{contact::ContactId, import::report::write_row};
use crate::Error;

/// The columns every export has, by the names of the fields they are imported into.
const COLUMNS: [&str; 13] = [
    "first_name",
    "last_name",
    "phone",
    "second_phone",
    "email",
    "company",
    "address",
    "city",
    "state",
    "postal_code",
    "time_zone",
    "labels",
    "household",
];

#[derive(sqlx::FromRow)]
struct Line {
    cells: Vec<Option<String>>,
    attributes: Json<BTreeMap<String, String>>,
}

/// The custom attributes that any of the contacts has.
pub(super) async fn attributes(tx: &mut TenantTx, filter: &Value) -> Result<Vec<String>, Error> {
    let names = sqlx::query_scalar(
        "select distinct a.name from crm.match_contacts($1, null, null) m
           join crm.contacts c on c.tenant_id = app.tenant_id() and c.id = m.id
          cross join lateral jsonb_object_keys(c.attributes) a(name) order by a.name",
    )
    .bind(filter)
    .fetch_all(tx.conn())
    .await?;
    Ok(names)
}

/// The first line, with the mark by which Excel knows UTF-8.
pub(super) fn header(attributes: &[String]) -> String {
    let mut out = String::from("\u{feff}");
    write_row(&mut out, COLUMNS.into_iter().chain(attributes.iter().map(String::as_str)));
    out
}

/// The lines of these contacts.
pub(super) async fn rows(tx: &mut TenantTx, ids: &[ContactId], attributes: &[String]) -> Result<String, Error> {
    let rows: Vec<Line> = sqlx::query_as(
        "select array[c.first_name, c.last_name, c.phone || coalesce(' x' || c.phone_extension, ''), c.second_phone, c.email, c.company, c.address, c.city, c.state,
             c.postal_code, c.time_zone,
             (select string_agg(l.name, '; ' order by l.name) from crm.contact_label_links x
                join crm.contact_labels l on l.tenant_id = x.tenant_id and l.id = x.label_id
               where x.tenant_id = c.tenant_id and x.contact_id = c.id),
             (select string_agg(h.name, '; ' order by h.id) from crm.household_members h where h.tenant_id = c.tenant_id and h.contact_id = c.id)
           ] as cells, c.attributes
           from crm.contacts c where c.tenant_id = app.tenant_id() and c.id = any($1) order by c.id",
    )
    .bind(ids)
    .fetch_all(tx.conn())
    .await?;
    let mut out = String::new();
    for row in &rows {
        let own = row.cells.iter().map(|cell| cell.as_deref().unwrap_or_default());
        let extra = attributes.iter().map(|name| row.attributes.get(name).map_or("", String::as_str));
        write_row(&mut out, own.chain(extra));
    }
    Ok(out)
}
