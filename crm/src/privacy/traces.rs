//! Where else a contact's name or address may have been kept.

use db::{Scope, TenantTx};

use super::Subject;
use crate::Error;

/// What else has kept the contact's name or address: rows of imports, what was merged into them, capabilities, answers that are kept for a repeated
/// request, written-out lists.
pub(super) async fn forget(tx: &mut TenantTx, subject: &Subject) -> Result<(), Error> {
    sqlx::query(
        "with rows as (
           delete from crm.import_phones p where p.tenant_id = app.tenant_id() and (p.contact_id = $1 or p.phone = any($2)) returning p.import_id, p.line_number)
         delete from crm.import_errors e using rows r where e.tenant_id = app.tenant_id() and e.import_id = r.import_id and e.line_number = r.line_number",
    )
    .bind(subject.contact_id)
    .bind(&subject.addresses)
    .execute(tx.conn())
    .await?;
    sqlx::query("update crm.contact_merges m set merged = '{}' where m.tenant_id = app.tenant_id() and (m.contact_id = $1 or m.merged_id = $1)")
        .bind(subject.contact_id)
        .execute(tx.conn())
        .await?;
    sqlx::query("delete from crm.handle_capabilities h where h.tenant_id = app.tenant_id() and h.address = any($1)")
        .bind(&subject.addresses)
        .execute(tx.conn())
        .await?;
    sqlx::query("delete from crm.message_reactions r where r.tenant_id = app.tenant_id() and r.sender = any($1)")
        .bind(&subject.addresses)
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "delete from crm.hook_events h
          where h.tenant_id = app.tenant_id() and h.error is not null
            and exists (select from unnest($1::text[]) a(address) where position(convert_to(a.address, 'UTF8') in h.body) > 0)",
    )
    .bind(&subject.addresses)
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "delete from crm.idempotency_keys i
          where i.tenant_id = app.tenant_id()
            and exists (select from unnest($2::text[] || $1::text) a(word) where position(a.word in i.body::text) > 0)",
    )
    .bind(subject.contact_id)
    .bind(&subject.addresses)
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "delete from crm.bulk_pieces p
          where p.tenant_id = app.tenant_id() and p.bulk_id in (
            select z.bulk_id from crm.bulk_pieces z
             where z.tenant_id = app.tenant_id() and exists (select from unnest($1::text[]) a(address) where position(a.address in z.text) > 0))",
    )
    .bind(&subject.addresses)
    .execute(tx.conn())
    .await?;
    Ok(())
}
