//! A batch into the tables, by a handful of statements over arrays, in the transaction that also moves the import's place forward.
//! The first row of a phone wins, in the batch and in the file; what happens to known phones is the import's mode (D7).

use std::collections::{BTreeMap, HashMap, HashSet};

use db::{Scope, TenantTx};
use sqlx::types::Json;
use uuid::Uuid;

use super::{
    batch::{Batch, Remark, Taken, number},
    belongings,
    map::ContactDraft,
    progress::{ImportId, Mode},
    rows::Position,
};
use crate::Error;

/// Where the import stands once a batch is in.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Standing {
    pub row_count: i64,
    pub byte_offset: i64,
    pub byte_count: i64,
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Create(Uuid),
    Update(Uuid),
    Skip(Uuid),
    /// The phone stands in that earlier line.
    Duplicate(i64),
}

impl Fate {
    /// The contact the row leads to.
    const fn contact(self) -> Option<Uuid> {
        match self {
            Self::Create(id) | Self::Update(id) | Self::Skip(id) => Some(id),
            Self::Duplicate(_) => None,
        }
    }
}

/// Writes a batch and moves the import behind it.
pub(super) async fn write(tx: &mut TenantTx, id: ImportId, mode: Mode, mut batch: Batch) -> Result<Standing, Error> {
    let taken = std::mem::take(&mut batch.taken);
    let known = if mode == Mode::Create { HashMap::new() } else { known_contacts(tx, mode, &taken).await? };
    let mut fates = fates(mode, &taken, &known);
    claim_phones(tx, id, &taken, &mut fates).await?;
    let mut created = Columns::default();
    let mut updated = Columns::default();
    let mut counts = Counts { empty: batch.empty, invalid: batch.invalid, ..Counts::default() };
    for (row, fate) in taken.iter().zip(&fates) {
        match fate {
            Fate::Create(contact) => {
                counts.created += 1;
                created.push(*contact, &row.draft);
            }
            Fate::Update(contact) => {
                counts.updated += 1;
                updated.push(*contact, &row.draft);
            }
            Fate::Skip(_) => {
                counts.skipped += 1;
                batch.refused.push(Remark::about(&row.row, "contact_exists", true, phone_of(row)));
                continue;
            }
            Fate::Duplicate(line) => {
                counts.duplicates += 1;
                batch.refused.push(Remark::about(&row.row, "duplicate_in_file", false, line.to_string()));
                continue;
            }
        }
        counts.warnings += number(row.draft.warnings.len() as u64);
        let warnings = row.draft.warnings.iter();
        batch.refused.extend(warnings.map(|code| Remark::about(&row.row, code, true, phone_of(row))));
    }
    insert_contacts(tx, id, &created).await?;
    update_contacts(tx, &updated).await?;
    let belonging: Vec<(Uuid, &ContactDraft)> = taken
        .iter()
        .zip(&fates)
        .filter_map(|(row, fate)| match fate {
            Fate::Create(contact) | Fate::Update(contact) => Some((*contact, &row.draft)),
            Fate::Skip(_) | Fate::Duplicate(_) => None,
        })
        .collect();
    let kept = belongings::write(tx, &belonging).await?;
    for (row, fate) in taken.iter().zip(&fates).filter(|(_, fate)| fate.contact().is_some_and(|id| kept.contains(&id)))
    {
        if matches!(fate, Fate::Update(_)) {
            counts.warnings += 1;
            batch.refused.push(Remark::about(&row.row, "household_kept", true, phone_of(row)));
        }
    }
    insert_remarks(tx, id, &batch.refused).await?;
    advance(tx, id, batch.end, &counts).await
}

#[derive(Debug, Default)]
struct Counts {
    created: i64,
    updated: i64,
    skipped: i64,
    empty: i64,
    invalid: i64,
    duplicates: i64,
    warnings: i64,
}

fn phone_of(row: &Taken) -> &str {
    row.draft.phone.as_ref().map_or("", |phone| phone.as_str())
}

/// Decides by what is known before the file's earlier rows are asked. New ids are drawn in the order of the file, which becomes the
/// order of the contacts.
fn fates(mode: Mode, taken: &[Taken], known: &HashMap<String, Uuid>) -> Vec<Fate> {
    let mut first: HashMap<&str, i64> = HashMap::with_capacity(taken.len());
    let decide = |row: &Taken| {
        let phone = row.draft.phone.as_ref()?.as_str();
        match (mode, known.get(phone)) {
            (Mode::Create, _) | (_, None) => None,
            (Mode::Update, Some(id)) => Some(Fate::Update(*id)),
            (Mode::Skip, Some(id)) => Some(Fate::Skip(*id)),
        }
    };
    let mut fates = Vec::with_capacity(taken.len());
    for row in taken {
        let earlier = row.draft.phone.as_ref().and_then(|phone| match first.get(phone.as_str()) {
            Some(line) => Some(*line),
            None => {
                first.insert(phone.as_str(), row.line());
                None
            }
        });
        fates.push(match earlier {
            Some(line) => Fate::Duplicate(line),
            None => decide(row).unwrap_or_else(|| Fate::Create(Uuid::now_v7())),
        });
    }
    fates
}

/// The oldest contact of each phone. Those to be changed are locked, in the order of their ids; one that is deleted meanwhile counts
/// as not there, and its row makes a new one.
async fn known_contacts(tx: &mut TenantTx, mode: Mode, taken: &[Taken]) -> Result<HashMap<String, Uuid>, Error> {
    let phones: Vec<&str> =
        taken.iter().filter_map(|row| row.draft.phone.as_ref()).map(|phone| phone.as_str()).collect();
    let rows: Vec<(String, Uuid)> = sqlx::query_as(
        "select distinct on (c.phone) c.phone, c.id
         from unnest($1::text[]) as asked (phone)
         join crm.contacts c on c.tenant_id = app.tenant_id() and c.phone = asked.phone
         order by c.phone, c.id",
    )
    .bind(&phones)
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    if mode != Mode::Update {
        return Ok(rows.into_iter().collect());
    }
    let ids: Vec<Uuid> = rows.iter().map(|(_, id)| *id).collect();
    let locked: Vec<Uuid> = sqlx::query_scalar(
        "select c.id from crm.contacts c where c.tenant_id = app.tenant_id() and c.id = any($1) order by c.id for update",
    )
    .bind(&ids)
    .fetch_all(tx.conn())
    .await?;
    let locked: HashSet<Uuid> = locked.into_iter().collect();
    Ok(rows.into_iter().filter(|(_, id)| locked.contains(id)).collect())
}

/// Takes the phones for these rows; those that an earlier batch took make their rows duplicates.
async fn claim_phones(tx: &mut TenantTx, id: ImportId, taken: &[Taken], fates: &mut [Fate]) -> Result<(), Error> {
    let (mut phones, mut lines, mut contacts) = (Vec::new(), Vec::new(), Vec::new());
    for (row, fate) in taken.iter().zip(fates.iter()) {
        if let (Some(phone), Some(contact)) = (&row.draft.phone, fate.contact()) {
            phones.push(phone.as_str());
            lines.push(row.line());
            contacts.push(contact);
        }
    }
    if phones.is_empty() {
        return Ok(());
    }
    // the last select still sees the table as it was before the insert: what it finds are the earlier winners
    let earlier: Vec<(String, i64)> = sqlx::query_as(
        "with given as (
           select * from unnest($2::text[], $3::bigint[], $4::uuid[]) as g (phone, line_number, contact_id)),
         won as (
           insert into crm.import_phones (import_id, phone, line_number, contact_id)
             select $1, g.phone, g.line_number, g.contact_id from given g
             on conflict on constraint import_phones_pkey do nothing)
         select p.phone, p.line_number
         from given g
         -- offset 0 keeps it a look-up by the key: statistics from before the import know of no such rows, and the join that they
         -- suggest compares each given phone with each earlier one
         cross join lateral (
           select x.phone, x.line_number from crm.import_phones x
            where x.tenant_id = app.tenant_id() and x.import_id = $1 and x.phone = g.phone offset 0) p",
    )
    .bind(id)
    .bind(&phones)
    .bind(&lines)
    .bind(&contacts)
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    let earlier: HashMap<String, i64> = earlier.into_iter().collect();
    for (row, fate) in taken.iter().zip(fates.iter_mut()) {
        if let Some(line) = row.draft.phone.as_ref().and_then(|phone| earlier.get(phone.as_str())) {
            *fate = Fate::Duplicate(*line);
        }
    }
    Ok(())
}

/// Contacts as columns, for `unnest`.
#[derive(Default)]
struct Columns<'a> {
    ids: Vec<Uuid>,
    first_names: Vec<Option<&'a str>>,
    last_names: Vec<Option<&'a str>>,
    phones: Vec<Option<&'a str>>,
    extensions: Vec<Option<&'a str>>,
    second_phones: Vec<Option<&'a str>>,
    emails: Vec<Option<&'a str>>,
    companies: Vec<Option<&'a str>>,
    addresses: Vec<Option<&'a str>>,
    cities: Vec<Option<&'a str>>,
    states: Vec<Option<&'a str>>,
    postal_codes: Vec<Option<&'a str>>,
    time_zones: Vec<Option<&'a str>>,
    attributes: Vec<Json<&'a BTreeMap<String, String>>>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, id: Uuid, draft: &'a ContactDraft) {
        self.ids.push(id);
        self.first_names.push(draft.first_name.as_deref());
        self.last_names.push(draft.last_name.as_deref());
        self.phones.push(draft.phone.as_ref().map(|phone| phone.as_str()));
        self.extensions.push(draft.extension.as_deref());
        self.second_phones.push(draft.second_phone.as_ref().map(|phone| phone.as_str()));
        self.emails.push(draft.email.as_deref());
        self.companies.push(draft.company.as_deref());
        self.addresses.push(draft.address.as_deref());
        self.cities.push(draft.city.as_deref());
        self.states.push(draft.state.as_deref());
        self.postal_codes.push(draft.postal_code.as_deref());
        self.time_zones.push(draft.time_zone.as_deref());
        self.attributes.push(Json(&draft.attributes));
    }
}

async fn insert_contacts(tx: &mut TenantTx, id: ImportId, new: &Columns<'_>) -> Result<(), Error> {
    if new.ids.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into crm.contacts (id, first_name, last_name, phone, phone_extension, second_phone, email, company, address, city,
           state, postal_code, time_zone, attributes, import_id)
         select u.*, $15
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
           $10::text[], $11::text[], $12::text[], $13::text[], $14::jsonb[]) as u",
    )
    .bind(&new.ids)
    .bind(&new.first_names)
    .bind(&new.last_names)
    .bind(&new.phones)
    .bind(&new.extensions)
    .bind(&new.second_phones)
    .bind(&new.emails)
    .bind(&new.companies)
    .bind(&new.addresses)
    .bind(&new.cities)
    .bind(&new.states)
    .bind(&new.postal_codes)
    .bind(&new.time_zones)
    .bind(&new.attributes)
    .bind(id)
    .persistent(false)
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn update_contacts(tx: &mut TenantTx, changed: &Columns<'_>) -> Result<(), Error> {
    if changed.ids.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update crm.contacts c
         set first_name = coalesce(u.first_name, c.first_name), last_name = coalesce(u.last_name, c.last_name),
           phone_extension = coalesce(u.phone_extension, c.phone_extension), second_phone = coalesce(u.second_phone, c.second_phone),
           email = coalesce(u.email, c.email), company = coalesce(u.company, c.company), address = coalesce(u.address, c.address),
           city = coalesce(u.city, c.city), state = coalesce(u.state, c.state),
           postal_code = coalesce(u.postal_code, c.postal_code), time_zone = coalesce(u.time_zone, c.time_zone),
           attributes = c.attributes || u.attributes, updated_at = app.now()
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
           $10::text[], $11::text[], $12::text[], $13::jsonb[])
           as u (id, first_name, last_name, phone_extension, second_phone, email, company, address, city, state, postal_code,
             time_zone, attributes)
         where c.tenant_id = app.tenant_id() and c.id = u.id",
    )
    .bind(&changed.ids)
    .bind(&changed.first_names)
    .bind(&changed.last_names)
    .bind(&changed.extensions)
    .bind(&changed.second_phones)
    .bind(&changed.emails)
    .bind(&changed.companies)
    .bind(&changed.addresses)
    .bind(&changed.cities)
    .bind(&changed.states)
    .bind(&changed.postal_codes)
    .bind(&changed.time_zones)
    .bind(&changed.attributes)
    .persistent(false)
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn insert_remarks(tx: &mut TenantTx, id: ImportId, remarks: &[Remark]) -> Result<(), Error> {
    if remarks.is_empty() {
        return Ok(());
    }
    let lines: Vec<i64> = remarks.iter().map(|remark| remark.line).collect();
    let codes: Vec<&str> = remarks.iter().map(|remark| remark.code).collect();
    let warnings: Vec<bool> = remarks.iter().map(|remark| remark.is_warning).collect();
    let details: Vec<Option<&str>> =
        remarks.iter().map(|remark| Some(remark.detail.as_str()).filter(|detail| !detail.is_empty())).collect();
    let cells: Vec<Json<&[String]>> = remarks.iter().map(|remark| Json(remark.cells.as_slice())).collect();
    sqlx::query(
        "insert into crm.import_errors (import_id, line_number, code, is_warning, detail, cells)
         select $1, u.line_number, u.code, u.is_warning, u.detail, u.cells
         from unnest($2::bigint[], $3::text[], $4::boolean[], $5::text[], $6::jsonb[])
           as u (line_number, code, is_warning, detail, cells)
         on conflict on constraint import_errors_pkey do nothing",
    )
    .bind(id)
    .bind(&lines)
    .bind(&codes)
    .bind(&warnings)
    .bind(&details)
    .bind(&cells)
    .persistent(false)
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn advance(tx: &mut TenantTx, id: ImportId, end: Option<Position>, counts: &Counts) -> Result<Standing, Error> {
    let rows = counts.created + counts.updated + counts.skipped + counts.empty + counts.invalid + counts.duplicates;
    let standing = sqlx::query_as(
        "update crm.imports
         set row_count = row_count + $2, created_count = created_count + $3, updated_count = updated_count + $4,
           skipped_count = skipped_count + $5, empty_count = empty_count + $6, invalid_count = invalid_count + $7,
           duplicate_count = duplicate_count + $8, warning_count = warning_count + $9,
           byte_offset = coalesce($10, byte_offset), line_number = coalesce($11, line_number)
         where tenant_id = app.tenant_id() and id = $1
         returning row_count, byte_offset, byte_count",
    )
    .bind(id)
    .bind(rows)
    .bind(counts.created)
    .bind(counts.updated)
    .bind(counts.skipped)
    .bind(counts.empty)
    .bind(counts.invalid)
    .bind(counts.duplicates)
    .bind(counts.warnings)
    .bind(end.map(|end| number(end.offset)))
    .bind(end.map(|end| number(end.line)))
    .fetch_one(tx.conn())
    .await?;
    Ok(standing)
}
