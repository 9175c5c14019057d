//! The upload: bytes as they come become rows of 1 MiB, and once all are here and the header fits the mapping, a job is enqueued.
//! Holds two chunks in memory at most, whatever the size of the file.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes};
use db::{Scope, TenantTx};
use jobs::Enqueue;
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use utoipa::ToSchema;

use super::{
    decode::Encoding,
    held::{self, Preview},
    map::{Field, Mapping, MappingError},
    progress::{self, Import, ImportId, Mode},
    run::{EndImport, RunImport},
    sniff::{self, EncodingEvidence, Overrides, SniffError, Sniffed},
};
use crate::{
    App, Error,
    contacts::{home_region, region_of_organization},
    phone::{Region, RegionError},
    tenancy::organizations::OrganizationId,
};

/// Bytes of one stored row of the upload; the last one may be shorter.
pub const CHUNK_BYTES: usize = 1 << 20;

/// How a file is to be read; what is absent is judged from the file.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = ImportOptions)]
pub struct Options {
    /// The name shown for the file.
    pub file_name: Option<String>,
    /// What happens to phones that are known already.
    pub mode: Mode,
    /// Column to field: phone, first_name, …, `attribute:name` or ignore. Columns not named are judged by their header.
    pub mapping: BTreeMap<String, String>,
    /// The column of the phone; the same as mapping it to phone.
    pub phone_column: Option<String>,
    /// utf-8, utf-16le, utf-16be, windows-1252 or macintosh.
    pub encoding: Option<Encoding>,
    /// Comma, semicolon, | or `tab`.
    pub delimiter: Option<String>,
    /// Whether the first row names the columns.
    pub has_header: Option<bool>,
    /// Country of numbers without a country code, ISO 3166; the organization's or the tenant's unless said otherwise.
    pub region: Option<String>,
    /// The organization that the file is of: where no region is said, its own counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub organization_id: Option<OrganizationId>,
    /// true: the file is only kept, to be looked at, tried and then started.
    pub hold: bool,
}

impl Options {
    /// What people know better than the file shows.
    fn overrides(&self) -> Result<Overrides, Error> {
        let delimiter = match self.delimiter.as_deref() {
            None | Some("") => None,
            Some("tab" | "\\t") => Some('\t'),
            Some(text) => match (text.chars().next(), text.chars().nth(1)) {
                (Some(only), None) => Some(only),
                _ => {
                    return Err(Error::invalid(
                        "delimiter",
                        "delimiter_invalid",
                        "a delimiter is one character, or tab",
                    ));
                }
            },
        };
        Ok(Overrides { encoding: self.encoding, delimiter, has_header: self.has_header })
    }

    /// The fields that were asked for, by column.
    pub(super) fn asked(&self) -> Result<BTreeMap<String, Field>, Error> {
        let mut asked = BTreeMap::new();
        for (column, field) in &self.mapping {
            let field = field.parse().map_err(|error| refuse_mapping(&error, &[]))?;
            asked.insert(column.clone(), field);
        }
        if let Some(column) = &self.phone_column {
            asked.insert(column.clone(), Field::Phone);
        }
        Ok(asked)
    }

    fn shown_name(&self) -> String {
        let name = self.file_name.as_deref().unwrap_or_default();
        let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let name: String = name.chars().filter(|c| !c.is_control()).take(255).collect();
        if name.trim().is_empty() { "contacts.csv".to_owned() } else { name }
    }
}

/// An upload on its way: [`Upload::take`] pieces, [`Upload::store`] each full chunk in a transaction of its own, [`Upload::finish`].
#[derive(Debug)]
pub struct Upload {
    id: ImportId,
    /// What is not stored yet.
    chunk: Vec<u8>,
    /// The first chunk, by which the file is judged.
    head: Bytes,
    stored: i32,
    byte_count: i64,
    evidence: EncodingEvidence,
}

impl Default for Upload {
    fn default() -> Self {
        Self::new()
    }
}

impl Upload {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let evidence = EncodingEvidence::default();
        Self { id: ImportId::new(), chunk: Vec::new(), head: Bytes::new(), stored: 0, byte_count: 0, evidence }
    }

    /// Takes as much of a piece as fits; true: the chunk is full and has to be stored before more is taken.
    pub fn take(&mut self, piece: &mut Bytes) -> bool {
        if self.chunk.capacity() < CHUNK_BYTES && self.chunk.len() + piece.len() > 64 << 10 {
            self.chunk.reserve_exact(CHUNK_BYTES - self.chunk.len());
        }
        let fitting = piece.len().min(CHUNK_BYTES - self.chunk.len());
        self.chunk.extend_from_slice(&piece[..fitting]);
        piece.advance(fitting);
        self.chunk.len() == CHUNK_BYTES
    }

    /// Whether something of it is in the database, which [`abandon`] removes.
    #[must_use]
    pub const fn stored(&self) -> Option<ImportId> {
        if self.stored > 0 { Some(self.id) } else { None }
    }

    /// Stores the chunk. With the first one the file is refused if it is none we can read.
    pub async fn store(&mut self, tx: &mut TenantTx, options: &Options) -> Result<(), Error> {
        self.keep(tx, options, false).await
    }

    async fn keep(&mut self, tx: &mut TenantTx, options: &Options, complete: bool) -> Result<(), Error> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        self.evidence.push(&self.chunk);
        if self.stored == 0 {
            self.head = Bytes::copy_from_slice(&self.chunk);
            judge(self.head.clone(), complete, options.overrides()?).await.map_err(refuse_file)?;
            begin(tx, self.id, options).await?;
        }
        sqlx::query("insert into crm.upload_chunks (import_id, number, bytes) values ($1, $2, $3)")
            .bind(self.id)
            .bind(self.stored)
            .bind(self.chunk.as_slice())
            .execute(tx.conn())
            .await?;
        self.stored += 1;
        self.byte_count += i64::try_from(self.chunk.len()).unwrap_or(i64::MAX);
        self.chunk.clear();
        Ok(())
    }

    /// All bytes are here: settles how they are read and enqueues the job, in this transaction.
    pub async fn finish(mut self, tx: &mut TenantTx, options: &Options) -> Result<Import, Error> {
        let encoding = self.end(tx, options).await?;
        let (sniffed, region) = read(tx, self.head.clone(), self.stored == 1, encoding, options).await?;
        let mapping = Mapping::from_request(&sniffed.headers, &options.asked()?)
            .map_err(|error| refuse_mapping(&error, &sniffed.headers))?;
        settle(tx, self.id, self.byte_count, options, &sniffed, &mapping, region).await?;
        enqueue(tx, self.id).await?;
        progress::get(tx, self.id).await
    }

    /// All bytes are here, and are kept to be looked at before the import starts.
    pub async fn hold(mut self, tx: &mut TenantTx, options: &Options) -> Result<Preview, Error> {
        let encoding = self.end(tx, options).await?;
        let held = sqlx::query(
            "update crm.imports set held_at = app.now(), byte_count = $2, encoding = $3, file_name = $4
             where tenant_id = app.tenant_id() and id = $1 and state = 'uploading'",
        )
        .bind(self.id)
        .bind(self.byte_count)
        .bind(encoding.name())
        .bind(options.shown_name())
        .execute(tx.conn())
        .await?;
        if held.rows_affected() == 0 {
            return Err(Error::NotFound);
        }
        held::preview(tx, self.id, options).await
    }

    /// Stores the last bytes. Answers the encoding that all of them show.
    async fn end(&mut self, tx: &mut TenantTx, options: &Options) -> Result<Encoding, Error> {
        self.keep(tx, options, self.stored == 0).await?;
        if self.stored == 0 { Err(refuse_file(SniffError::Empty)) } else { Ok(self.evidence.verdict(true)) }
    }
}

/// How a file is read whose bytes are all here.
pub(super) async fn read(
    tx: &mut TenantTx,
    head: Bytes,
    complete: bool,
    encoding: Encoding,
    options: &Options,
) -> Result<(Sniffed, Region), Error> {
    let mut overrides = options.overrides()?;
    overrides.encoding = overrides.encoding.or(Some(encoding));
    let sniffed = judge(head, complete, overrides).await.map_err(refuse_file)?;
    let region: Region = match (&options.region, options.organization_id) {
        (Some(region), _) => {
            let unknown = |error: RegionError| Error::invalid("region", "region_unknown", error.to_string());
            region.parse().map_err(unknown)?
        }
        (None, Some(organization)) => region_of_organization(tx, organization).await?,
        (None, None) => home_region(tx).await?,
    };
    Ok((sniffed, region))
}

/// Settles how an upload is read, and that it waits for a worker.
pub(super) async fn settle(
    tx: &mut TenantTx,
    id: ImportId,
    byte_count: i64,
    options: &Options,
    sniffed: &Sniffed,
    mapping: &Mapping,
    region: Region,
) -> Result<(), Error> {
    let fields: BTreeMap<&str, String> =
        sniffed.headers.iter().map(String::as_str).zip(mapping.fields().iter().map(ToString::to_string)).collect();
    let queued = sqlx::query(
        "update crm.imports
         set state = 'queued', file_name = $2, byte_count = $3, mode = $4, mapping = $5, encoding = $6, delimiter = $7,
           has_header = $8, header = $9, region = $10, created_at = app.now()
         where tenant_id = app.tenant_id() and id = $1 and state = 'uploading'",
    )
    .bind(id)
    .bind(options.shown_name())
    .bind(byte_count)
    .bind(options.mode)
    .bind(Json(fields))
    .bind(sniffed.format.encoding.name())
    .bind(char::from(sniffed.format.delimiter).to_string())
    .bind(sniffed.format.has_header)
    .bind(Json(&sniffed.headers))
    .bind(region.code())
    .execute(tx.conn())
    .await?;
    // swept away as forgotten while the last bytes came in
    if queued.rows_affected() == 1 { Ok(()) } else { Err(Error::NotFound) }
}

/// Gives an import that waits to the workers.
pub(super) async fn enqueue(tx: &mut TenantTx, id: ImportId) -> Result<(), Error> {
    let batch = jobs::batch::open::<App, _>(tx, "contacts.import", &EndImport { import_id: id }).await?;
    Enqueue::<App, RunImport>::new()
        .lane(format!("import/{id}"))
        .batch(batch)
        .one(tx, &RunImport { import_id: id })
        .await?;
    jobs::batch::seal(tx, batch).await?;
    Ok(())
}

/// Makes the import's row, which nobody is shown yet, and sweeps away the tenant's uploads that broke off without a word.
async fn begin(tx: &mut TenantTx, id: ImportId, options: &Options) -> Result<(), Error> {
    sqlx::query(
        "delete from crm.imports
         where tenant_id = app.tenant_id() and state = 'uploading' and created_at < app.now() - interval '1 day'",
    )
    .execute(tx.conn())
    .await?;
    sqlx::query("insert into crm.imports (id, file_name, byte_count, mode, state) values ($1, $2, 0, $3, 'uploading')")
        .bind(id)
        .bind(options.shown_name())
        .bind(options.mode)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Removes what is stored of an upload that will not be finished.
pub async fn abandon(tx: &mut TenantTx, id: ImportId) -> Result<(), Error> {
    sqlx::query("delete from crm.imports where tenant_id = app.tenant_id() and id = $1 and state = 'uploading'")
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A megabyte is judged in some milliseconds of pure work, so not on a thread that others wait for.
async fn judge(head: Bytes, complete: bool, overrides: Overrides) -> Result<Sniffed, SniffError> {
    match tokio::task::spawn_blocking(move || sniff::sniff(&head, complete, &overrides)).await {
        Ok(judged) => judged,
        Err(fault) => std::panic::resume_unwind(fault.into_panic()),
    }
}

fn refuse_file(error: SniffError) -> Error {
    let field = if matches!(error, SniffError::Delimiter(_)) { "delimiter" } else { "file" };
    Error::invalid(field, error.code(), error.to_string())
}

pub(super) fn refuse_mapping(error: &MappingError, columns: &[String]) -> Error {
    let mut message = error.to_string();
    if !columns.is_empty() {
        let known: Vec<String> = columns.iter().take(100).map(|name| format!("\"{name}\"")).collect();
        message = format!("{message}; the columns of the file are {}", known.join(", "));
    }
    Error::invalid("mapping", error.code(), message)
}
