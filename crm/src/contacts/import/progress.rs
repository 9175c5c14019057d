//! An import as people see it: where it stands and what became of its rows.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use db::{Id, Page, PageOf, Scope, TenantTx};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use utoipa::ToSchema;

use crate::Error;

/// Marks ids of imports.
#[derive(Debug)]
pub enum ImportMark {}
/// The id of an import.
pub type ImportId = Id<ImportMark>;

/// What happens to a row whose phone a contact has already (D7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = ImportMode)]
pub enum Mode {
    /// It becomes a contact all the same.
    #[default]
    Create,
    /// The oldest contact of that phone takes what the row says; empty cells change nothing.
    Update,
    /// The row is passed over.
    Skip,
}

/// Where an import stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ImportState {
    /// Waits for a worker.
    Queued,
    /// Rows are being read.
    Running,
    /// All rows are read.
    Completed,
    /// It stopped for the reason given; what it had read stays.
    Failed,
}

/// An import: row_count = created + updated + skipped + empty + invalid + duplicate.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Import {
    /// The import.
    pub id: ImportId,
    /// The name of the file.
    pub file_name: String,
    /// Its size.
    pub byte_count: i64,
    /// What happens to phones that are known already.
    pub mode: Mode,
    /// Where it stands.
    pub state: ImportState,
    /// Stable code of what stopped it.
    pub failure_code: Option<String>,
    /// What stopped it, in words.
    pub failure_detail: Option<String>,
    /// Which field each column fills.
    #[schema(value_type = BTreeMap<String, String>)]
    pub mapping: Json<BTreeMap<String, String>>,
    /// How the bytes are read.
    pub encoding: Option<String>,
    /// What stands between two cells.
    pub delimiter: Option<String>,
    /// The names of the columns, in their order.
    #[schema(value_type = Vec<String>)]
    pub header: Option<Json<Vec<String>>>,
    /// Country of numbers without a country code.
    pub region: Option<String>,
    /// Rows of data read so far.
    pub row_count: i64,
    /// Rows that became contacts.
    pub created_count: i64,
    /// Rows that changed a contact.
    pub updated_count: i64,
    /// Rows passed over because the contact was there.
    pub skipped_count: i64,
    /// Rows with nothing to reach anybody by.
    pub empty_count: i64,
    /// Rows that can't be read or used.
    pub invalid_count: i64,
    /// Rows whose phone stands in an earlier line.
    pub duplicate_count: i64,
    /// What was repaired or left out in rows that were taken.
    pub warning_count: i64,
    /// Rows done.
    pub done: i64,
    /// Rows in all: estimated from the bytes until the last one is read.
    pub total: Option<i64>,
    /// Since when it waits for a worker; none once one has begun.
    pub waiting_since: Option<DateTime<Utc>>,
    /// Who uploaded it.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When its first row was read.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// Rows in all, as far as they can be told from those read and the bytes they took.
pub(super) fn estimate(rows: i64, bytes_read: i64, bytes: i64) -> i64 {
    if bytes_read <= 0 || bytes_read >= bytes {
        return rows;
    }
    let all = i128::from(rows) * i128::from(bytes) / i128::from(bytes_read);
    i64::try_from(all).unwrap_or(i64::MAX)
}

/// One import; one that is still being uploaded is nobody's to see.
pub async fn get(tx: &mut TenantTx, id: ImportId) -> Result<Import, Error> {
    let import = sqlx::query_as(
        "select i.id, i.file_name, i.byte_count, i.mode, i.state, i.failure_code, i.failure_detail, i.mapping, i.encoding,
           i.delimiter, i.header, i.region, i.row_count, i.created_count, i.updated_count, i.skipped_count, i.empty_count,
           i.invalid_count, i.duplicate_count, i.warning_count, i.row_count as done,
           case when i.state = 'completed' then i.row_count
                when i.byte_offset > 0 then (i.row_count::numeric * i.byte_count / i.byte_offset)::bigint end as total,
           case when i.state = 'queued' then i.created_at end as waiting_since,
           i.created_by, i.created_at, i.started_at, i.finished_at
         from crm.imports i
         where i.tenant_id = app.tenant_id() and i.id = $1 and i.state <> 'uploading'",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    Ok(import)
}

/// The imports, newest first.
pub async fn list(tx: &mut TenantTx, page: &PageOf<ImportId>) -> Result<Page<Import>, Error> {
    let imports: Vec<Import> = sqlx::query_as(
        "select i.id, i.file_name, i.byte_count, i.mode, i.state, i.failure_code, i.failure_detail, i.mapping, i.encoding,
           i.delimiter, i.header, i.region, i.row_count, i.created_count, i.updated_count, i.skipped_count, i.empty_count,
           i.invalid_count, i.duplicate_count, i.warning_count, i.row_count as done,
           case when i.state = 'completed' then i.row_count
                when i.byte_offset > 0 then (i.row_count::numeric * i.byte_count / i.byte_offset)::bigint end as total,
           case when i.state = 'queued' then i.created_at end as waiting_since,
           i.created_by, i.created_at, i.started_at, i.finished_at
         from crm.imports i
         where i.tenant_id = app.tenant_id() and i.state <> 'uploading' and ($1::uuid is null or i.id < $1)
         order by i.id desc
         limit $2",
    )
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(imports, |import| import.id))
}

#[cfg(test)]
mod tests {
    use super::estimate;

    #[test]
    fn the_rows_in_all_are_guessed_from_the_bytes_and_known_at_the_end() {
        assert_eq!(estimate(0, 0, 100), 0);
        assert_eq!(estimate(10, 50, 100), 20);
        assert_eq!(estimate(10, 100, 100), 10);
    }
}
