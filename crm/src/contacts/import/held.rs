//! An upload that is looked at before its import starts: how its first rows are read, and what an import would do, tried by the very code that
//! imports and then taken back. Until it is started nobody else is shown it, and one that is forgotten is swept away like an upload that broke off.

use std::collections::BTreeMap;

use bytes::Bytes;
use db::{Scope, TenantTx};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    batch,
    errors::{self, ImportError},
    map::{ContactDraft, Mapping, MappingError},
    progress::{self, Import, ImportId},
    report::{self, Language},
    run,
    sniff::Sniffed,
    stage,
    start::{self, CHUNK_BYTES, Options},
};
use crate::{Error, phone::Region};

/// Rows of a preview.
const SHOWN_ROWS: usize = 20;
/// Rows that are tried: of a longer file, its beginning.
const TRIED_ROWS: i64 = 10_000;
/// Refused rows that a trial shows.
const SHOWN_ERRORS: i64 = 100;

/// How an upload is read.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ImportPreview)]
pub struct Preview {
    /// The import that will be, once it is started.
    pub id: ImportId,
    /// The name of the file.
    pub file_name: String,
    /// Its size.
    pub byte_count: i64,
    /// How the bytes are read.
    pub encoding: String,
    /// What stands between two cells.
    pub delimiter: String,
    /// Whether the first row names the columns.
    pub has_header: bool,
    /// The names of the columns, in their order.
    pub header: Vec<String>,
    /// Which field each column fills.
    pub mapping: BTreeMap<String, String>,
    /// Why it can't be started as it is: the code of a mapping that reaches nobody.
    pub problem: Option<String>,
    /// The first rows.
    pub rows: Vec<PreviewRow>,
}

/// One of the first rows.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ImportPreviewRow)]
pub struct PreviewRow {
    /// The line on which it begins.
    pub line_number: u64,
    /// Its cells.
    pub cells: Vec<String>,
    /// What it says of a contact, by field; empty where it is refused.
    pub fields: BTreeMap<String, String>,
    /// Why it would be refused.
    pub code: Option<String>,
    /// What would be repaired or left out.
    pub warnings: Vec<String>,
}

/// What an import would do.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ImportDryRun)]
pub struct DryRun {
    /// What the import would say of itself behind these rows.
    pub import: Import,
    /// Whether the file has more rows than were tried.
    pub is_partial: bool,
    /// The first refused rows and warnings.
    pub errors: Vec<ImportError>,
}

#[derive(sqlx::FromRow)]
struct Held {
    file_name: String,
    byte_count: i64,
    encoding: String,
}

/// Reads the beginning of an upload that is held, by these options.
pub async fn preview(tx: &mut TenantTx, id: ImportId, options: &Options) -> Result<Preview, Error> {
    let held = held(tx, id).await?;
    let (sniffed, region) = judge(tx, id, &held, options).await?;
    let (mapping, problem) = match Mapping::of(&sniffed.headers, &options.asked()?) {
        Ok(mapping) => {
            let problem = mapping.check().err().map(|error| error.code().to_owned());
            (mapping, problem)
        }
        Err(error) => return Err(start::refuse_mapping(&error, &sniffed.headers)),
    };
    let fields = mapping.fields().iter().map(ToString::to_string);
    Ok(Preview {
        id,
        file_name: held.file_name,
        byte_count: held.byte_count,
        encoding: sniffed.format.encoding.name().to_owned(),
        delimiter: char::from(sniffed.format.delimiter).to_string(),
        has_header: sniffed.format.has_header,
        mapping: sniffed.headers.iter().cloned().zip(fields).collect(),
        problem,
        rows: rows(&sniffed, &mapping, region),
        header: sniffed.headers,
    })
}

fn rows(sniffed: &Sniffed, mapping: &Mapping, region: Region) -> Vec<PreviewRow> {
    let shown = sniffed.sample.iter().take(SHOWN_ROWS);
    let shown = shown.map(|row| {
        let (fields, code, warnings) = match mapping.apply(row, region) {
            Ok(draft) => (said(&draft), None, draft.warnings.iter().map(ToString::to_string).collect()),
            Err(problem) => (BTreeMap::new(), Some(problem.code.to_owned()), Vec::new()),
        };
        PreviewRow { line_number: row.line, cells: row.cells().map(str::to_owned).collect(), fields, code, warnings }
    });
    shown.collect()
}

fn said(draft: &ContactDraft) -> BTreeMap<String, String> {
    let phone = draft.phone.as_ref().map(|phone| phone.as_str().to_owned());
    let second = draft.second_phone.as_ref().map(|phone| phone.as_str().to_owned());
    let fields = [
        ("first_name", draft.first_name.clone()),
        ("last_name", draft.last_name.clone()),
        ("phone", phone),
        ("second_phone", second),
        ("email", draft.email.clone()),
        ("company", draft.company.clone()),
        ("address", draft.address.clone()),
        ("city", draft.city.clone()),
        ("state", draft.state.clone()),
        ("postal_code", draft.postal_code.clone()),
        ("time_zone", draft.time_zone.clone()),
        ("labels", Some(draft.labels.join("; ")).filter(|text| !text.is_empty())),
        ("household", Some(draft.household.join("; ")).filter(|text| !text.is_empty())),
    ];
    let own = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    own.chain(draft.attributes.iter().map(|(name, value)| (format!("attribute:{name}"), value.clone()))).collect()
}

/// Tries an import in a transaction that the caller does not commit.
pub async fn dry_run(mut tx: TenantTx, id: ImportId, options: &Options, language: Language) -> Result<DryRun, Error> {
    let held = held(&mut tx, id).await?;
    settle(&mut tx, id, &held, options).await?;
    let (mut reading, mode) = run::open_for(&mut tx, id).await?;
    let last = (held.byte_count.max(1).unsigned_abs() - 1) / CHUNK_BYTES as u64;
    let mut tried = 0;
    'file: for number in 0..=last {
        reading.rows.push(&chunk(&mut tx, id, number).await?);
        if number == last {
            reading.rows.finish();
        }
        loop {
            let (back, batch): (_, Option<batch::Batch>) = run::next(reading).await;
            reading = back;
            let Some(batch) = batch else { break };
            tried = stage::write(&mut tx, id, mode, batch).await?.row_count;
            if tried >= TRIED_ROWS {
                break 'file;
            }
        }
    }
    let import = progress::get(&mut tx, id).await?;
    let mut errors = errors::after(&mut tx, id, None, None, SHOWN_ERRORS).await?;
    for error in &mut errors {
        error.reason = report::reason(&error.code, language).to_owned();
    }
    let is_partial = tried >= TRIED_ROWS && import.total.is_some_and(|total| total > tried);
    Ok(DryRun { import, is_partial, errors })
}

/// Starts the import of an upload that was held.
pub async fn begin(tx: &mut TenantTx, id: ImportId, options: &Options) -> Result<Import, Error> {
    let held = held(tx, id).await?;
    settle(tx, id, &held, options).await?;
    start::enqueue(tx, id).await?;
    progress::get(tx, id).await
}

/// Drops an upload that was held.
pub async fn drop(tx: &mut TenantTx, id: ImportId) -> Result<(), Error> {
    held(tx, id).await?;
    start::abandon(tx, id).await
}

async fn settle(tx: &mut TenantTx, id: ImportId, held: &Held, options: &Options) -> Result<(), Error> {
    let (sniffed, region) = judge(tx, id, held, options).await?;
    let mapping = Mapping::from_request(&sniffed.headers, &options.asked()?)
        .map_err(|error: MappingError| start::refuse_mapping(&error, &sniffed.headers))?;
    let mut options = options.clone();
    options.file_name = options.file_name.or_else(|| Some(held.file_name.clone()));
    start::settle(tx, id, held.byte_count, &options, &sniffed, &mapping, region).await
}

async fn judge(tx: &mut TenantTx, id: ImportId, held: &Held, options: &Options) -> Result<(Sniffed, Region), Error> {
    let head = Bytes::from(chunk(tx, id, 0).await?);
    let complete = held.byte_count <= CHUNK_BYTES as i64;
    let encoding = held.encoding.parse().map_err(anyhow::Error::new::<super::decode::EncodingError>)?;
    start::read(tx, head, complete, encoding, options).await
}

async fn held(tx: &mut TenantTx, id: ImportId) -> Result<Held, Error> {
    // locked, so that of two starts one finds it held
    let held = sqlx::query_as(
        "select i.file_name, i.byte_count, i.encoding from crm.imports i
          where i.tenant_id = app.tenant_id() and i.id = $1 and i.state = 'uploading' and i.held_at is not null for update",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    Ok(held)
}

async fn chunk(tx: &mut TenantTx, id: ImportId, number: u64) -> Result<Vec<u8>, Error> {
    let bytes = sqlx::query_scalar(
        "select c.bytes from crm.upload_chunks c where c.tenant_id = app.tenant_id() and c.import_id = $1 and c.number = $2",
    )
    .bind(id)
    .bind(i32::try_from(number).unwrap_or(i32::MAX))
    .fetch_one(tx.conn())
    .await?;
    Ok(bytes)
}
