//! What hangs on the contacts of a batch: labels and members of households, made where they are not known yet. A confirmed member stays,
//! whatever the file says; its row is told so.

use std::collections::HashSet;

use db::{Scope, TenantTx};
use uuid::Uuid;

use super::map::ContactDraft;
use crate::{
    Error,
    contacts::{household::MemberId, labels::LabelId},
};

/// Writes what hangs on these contacts. Answers those of which a confirmed member is not named by its row.
pub(super) async fn write(tx: &mut TenantTx, rows: &[(Uuid, &ContactDraft)]) -> Result<HashSet<Uuid>, Error> {
    label(tx, rows).await?;
    house(tx, rows).await
}

async fn label(tx: &mut TenantTx, rows: &[(Uuid, &ContactDraft)]) -> Result<(), Error> {
    let named = rows.iter().flat_map(|(id, draft)| draft.labels.iter().map(|name| (*id, name.as_str())));
    let (contacts, names): (Vec<Uuid>, Vec<&str>) = named.unzip();
    if contacts.is_empty() {
        return Ok(());
    }
    let distinct: HashSet<&str> = names.iter().copied().collect();
    let distinct: Vec<&str> = distinct.into_iter().collect();
    let ids: Vec<LabelId> = distinct.iter().map(|_| LabelId::new()).collect();
    // in the order of the key, so that two imports make the same labels one after the other
    sqlx::query(
        "insert into crm.contact_labels (id, name)
           select g.id, g.name from (select distinct on (crm.fold(u.name)) u.id, u.name from unnest($1::uuid[], $2::text[]) u (id, name)
                                      order by crm.fold(u.name), u.name) g
            order by crm.fold(g.name) collate \"C\"
         on conflict do nothing",
    )
    .bind(&ids)
    .bind(&distinct)
    .persistent(false)
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "insert into crm.contact_label_links (label_id, contact_id)
           select distinct l.id, u.contact_id from unnest($1::uuid[], $2::text[]) u (contact_id, name)
             join crm.contact_labels l on l.tenant_id = app.tenant_id() and crm.fold(l.name) = crm.fold(u.name)
            order by l.id, u.contact_id
         on conflict do nothing",
    )
    .bind(&contacts)
    .bind(&names)
    .persistent(false)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A row that names a household names all of it: who was only guessed and is not named goes, who is confirmed stays.
async fn house(tx: &mut TenantTx, rows: &[(Uuid, &ContactDraft)]) -> Result<HashSet<Uuid>, Error> {
    let named = rows.iter().flat_map(|(id, draft)| draft.household.iter().map(|name| (*id, name.as_str())));
    let (contacts, names): (Vec<Uuid>, Vec<&str>) = named.unzip();
    if contacts.is_empty() {
        return Ok(HashSet::new());
    }
    sqlx::query(
        "delete from crm.household_members m
          where m.tenant_id = app.tenant_id() and m.contact_id = any($1) and not m.is_confirmed
            and not exists (select from unnest($1::uuid[], $2::text[]) u (contact_id, name)
                             where u.contact_id = m.contact_id and crm.fold(u.name) = crm.fold(m.name))",
    )
    .bind(&contacts)
    .bind(&names)
    .persistent(false)
    .execute(tx.conn())
    .await?;
    let ids: Vec<MemberId> = contacts.iter().map(|_| MemberId::new()).collect();
    sqlx::query(
        "insert into crm.household_members (id, contact_id, name)
           select u.id, u.contact_id, u.name from unnest($1::uuid[], $2::uuid[], $3::text[]) u (id, contact_id, name) order by u.contact_id, u.id
         on conflict do nothing",
    )
    .bind(&ids)
    .bind(&contacts)
    .bind(&names)
    .persistent(false)
    .execute(tx.conn())
    .await?;
    let kept: Vec<Uuid> = sqlx::query_scalar(
        "select distinct m.contact_id from crm.household_members m
          where m.tenant_id = app.tenant_id() and m.contact_id = any($1) and m.is_confirmed
            and not exists (select from unnest($1::uuid[], $2::text[]) u (contact_id, name)
                             where u.contact_id = m.contact_id and crm.fold(u.name) = crm.fold(m.name))",
    )
    .bind(&contacts)
    .bind(&names)
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    Ok(kept.into_iter().collect())
}
