//! Rows that were refused, and warnings about those that were taken: as a paged list, and in pages for the error file.

use db::{Page, PageOf, Scope, TenantTx};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use utoipa::ToSchema;

use super::{
    progress::ImportId,
    report::{self, Language},
};
use crate::Error;

/// What is wrong with one row.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct ImportError {
    /// The line on which the row begins; the header is line 1.
    pub line_number: i64,
    /// Stable code.
    pub code: String,
    /// The row was taken all the same.
    pub is_warning: bool,
    /// The value, the column or the earlier line that it is about.
    pub detail: Option<String>,
    /// The cells of the row, as far as they could be read.
    #[schema(value_type = Vec<String>)]
    pub cells: Json<Vec<String>>,
    /// The code in words.
    #[sqlx(default)]
    pub reason: String,
}

/// The key of an error in its import.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorKey(i64, String);

impl ImportError {
    /// Where the list goes on behind this one.
    #[must_use]
    pub fn key(&self) -> ErrorKey {
        ErrorKey(self.line_number, self.code.clone())
    }
}

/// The errors of an import in the order of its lines. `warnings`: only those, or only refused rows; none: both.
pub async fn list(
    tx: &mut TenantTx,
    import_id: ImportId,
    warnings: Option<bool>,
    language: Language,
    page: &PageOf<ErrorKey>,
) -> Result<Page<ImportError>, Error> {
    super::progress::get(tx, import_id).await?;
    let mut errors = after(tx, import_id, warnings, page.after.as_ref(), page.fetch()).await?;
    for error in &mut errors {
        error.reason = report::reason(&error.code, language).to_owned();
    }
    Ok(page.finish(errors, ImportError::key))
}

/// At most `limit` errors behind a key, for who writes them all out piece by piece.
pub async fn after(
    tx: &mut TenantTx,
    import_id: ImportId,
    warnings: Option<bool>,
    key: Option<&ErrorKey>,
    limit: i64,
) -> Result<Vec<ImportError>, Error> {
    let errors = sqlx::query_as(
        "select e.line_number, e.code, e.is_warning, e.detail, e.cells
         from crm.import_errors e
         where e.tenant_id = app.tenant_id() and e.import_id = $1
           and ($2::bigint is null or (e.line_number, e.code) > ($2, $3))
           and ($4::boolean is null or e.is_warning = $4)
         order by e.line_number, e.code
         limit $5",
    )
    .bind(import_id)
    .bind(key.map(|key| key.0))
    .bind(key.map(|key| key.1.as_str()))
    .bind(warnings)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(errors)
}
