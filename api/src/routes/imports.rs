//! Imports: the upload as a stream, how it went, and the file of refused rows.

use axum::{
    body::Body,
    extract::{FromRequest, Multipart, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use crm::{
    Error,
    access::Permission,
    contacts::import::{
        Import, ImportId,
        errors::{self, ErrorKey, ImportError},
        held::{self, DryRun, Preview},
        progress,
        report::{ErrorFile, Language},
        start::Options,
    },
};
use db::Page;
use futures::stream;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use crate::{
    Api,
    actor::Call,
    extract::{Json, Paging, Path, Query},
    gate::Routes,
    once::Once,
    problem::Problem,
    upload::{self, ImportForm, ImportQuery},
};

/// Rows read from the database for one piece of the error file.
const PIECE_ROWS: i64 = 1000;

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .private(Permission::ContactsView, routes!(list))
        .upload(Permission::ContactsImport, routes!(create))
        .private(Permission::ContactsImport, routes!(preview))
        .private(Permission::ContactsImport, routes!(dry_run))
        .private(Permission::ContactsImport, routes!(start))
        .private(Permission::ContactsImport, routes!(drop_held))
        .private(Permission::ContactsView, routes!(get))
        .private(Permission::ContactsImport, routes!(list_errors))
        .export(Permission::ContactsImport, routes!(error_file))
}

/// The imports, newest first.
#[utoipa::path(get, path = "/api/v1/imports", tag = "imports", params(Paging), responses((status = 200, body = Page<Import>)))]
async fn list(call: Call, Query(paging): Query<Paging>) -> Result<Json<Page<Import>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(progress::list(&mut tx, &paging.of()?).await?))
}

/// Uploads a CSV file and queues its import. As a form: the field `file`, and `options` as JSON; or the file as the body, with the
/// options in the query. The header is checked before the answer; the rows are read by a worker.
#[utoipa::path(
    post, path = "/api/v1/imports", tag = "imports", params(ImportQuery),
    request_body(content((ImportForm = "multipart/form-data"), (String = "text/csv"), (String = "application/octet-stream"))),
    responses((status = 201, description = "Queued; with `hold` the preview of a file that is only kept", body = Import))
)]
async fn create(
    State(api): State<Api>,
    call: Call,
    once: Once,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Result<Response, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_form = kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data");
    let options = query.options()?;
    // a task of its own ends with its own clean-up, also when the client has gone and nobody waits for the answer
    let task = if is_form {
        let form = Multipart::from_request(request, &api).await.map_err(|refusal| upload::refuse_form(&refusal))?;
        tokio::spawn(upload::form(call, once, options, form))
    } else {
        tokio::spawn(upload::raw(call, once, options, request.into_body()))
    };
    task.await.map_err(|fault| Problem::internal(fault.into()))?
}

/// How the first rows of an upload that is held are read, by these options.
#[utoipa::path(
    post, path = "/api/v1/imports/{id}/preview", tag = "imports", params(("id" = Uuid, Path)), request_body = Options,
    responses((status = 200, body = Preview))
)]
async fn preview(call: Call, Path(id): Path<ImportId>, Json(options): Json<Options>) -> Result<Json<Preview>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(held::preview(&mut tx, id, &options).await?))
}

/// What an import of the upload would do: tried by the code that imports, on its first 10,000 rows, and taken back.
#[utoipa::path(
    post, path = "/api/v1/imports/{id}/dry-run", tag = "imports", params(("id" = Uuid, Path), Shown), request_body = Options,
    responses((status = 200, body = DryRun))
)]
async fn dry_run(
    call: Call,
    Path(id): Path<ImportId>,
    Query(shown): Query<Shown>,
    Json(options): Json<Options>,
) -> Result<Json<DryRun>, Problem> {
    let tx = call.tx().await?;
    Ok(Json(held::dry_run(tx, id, &options, shown.language.unwrap_or_default()).await?))
}

/// Starts the import of an upload that was held; of parallel calls one succeeds.
#[utoipa::path(
    post, path = "/api/v1/imports/{id}/start", tag = "imports", params(("id" = Uuid, Path)), request_body = Options,
    responses((status = 200, body = Import))
)]
async fn start(call: Call, Path(id): Path<ImportId>, Json(options): Json<Options>) -> Result<Json<Import>, Problem> {
    let mut tx = call.tx().await?;
    let import = held::begin(&mut tx, id, &options).await?;
    tx.commit().await?;
    Ok(Json(import))
}

/// Drops an upload that was held and not started.
#[utoipa::path(
    delete, path = "/api/v1/imports/{id}", tag = "imports", params(("id" = Uuid, Path)), responses((status = 204, description = "Dropped"))
)]
async fn drop_held(call: Call, Path(id): Path<ImportId>) -> Result<StatusCode, Problem> {
    let mut tx = call.tx().await?;
    held::drop(&mut tx, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An import.
#[utoipa::path(
    get, path = "/api/v1/imports/{id}", tag = "imports", params(("id" = Uuid, Path)), responses((status = 200, body = Import))
)]
async fn get(call: Call, Path(id): Path<ImportId>) -> Result<Json<Import>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(progress::get(&mut tx, id).await?))
}

/// Which errors, and in which language their reasons.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Shown {
    /// true: only warnings about rows that were taken; false: only refused rows; absent: both.
    warnings: Option<bool>,
    /// Language of the reasons.
    #[param(inline)]
    language: Option<Language>,
}

/// Refused rows and warnings, in the order of the lines.
#[utoipa::path(
    get, path = "/api/v1/imports/{id}/errors", tag = "imports", params(("id" = Uuid, Path), Shown, Paging),
    responses((status = 200, body = Page<ImportError>))
)]
async fn list_errors(
    call: Call,
    Path(id): Path<ImportId>,
    Query(shown): Query<Shown>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<ImportError>>, Problem> {
    let mut tx = call.tx().await?;
    let language = shown.language.unwrap_or_default();
    Ok(Json(errors::list(&mut tx, id, shown.warnings, language, &paging.of()?).await?))
}

/// The refused rows as a CSV file, each with its line, code and reason: safe to open in a spreadsheet, and once mended fit to be
/// imported again.
#[utoipa::path(
    get, path = "/api/v1/imports/{id}/error-file", tag = "imports", params(("id" = Uuid, Path), Shown),
    responses((status = 200, content_type = "text/csv", body = String))
)]
async fn error_file(call: Call, Path(id): Path<ImportId>, Query(shown): Query<Shown>) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    let import = progress::get(&mut tx, id).await?;
    drop(tx);
    let delimiter = import.delimiter.as_deref().and_then(|text| text.bytes().next()).unwrap_or(b',');
    let file = ErrorFile::new(delimiter, shown.language.unwrap_or_default());
    let start = Piece {
        call,
        id,
        warnings: shown.warnings.unwrap_or(false),
        place: Place::Header(import.header.map(|header| header.0).unwrap_or_default()),
        file,
    };
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"import-errors-{id}.csv\"")),
    ];
    Ok((headers, Body::from_stream(stream::try_unfold(start, Piece::next))).into_response())
}

/// Where the error file goes on; nothing is kept but the key of the last row written.
struct Piece {
    call: Call,
    id: ImportId,
    warnings: bool,
    place: Place,
    file: ErrorFile,
}

enum Place {
    Header(Vec<String>),
    Rows(Option<ErrorKey>),
    End,
}

impl Piece {
    async fn next(mut self) -> Result<Option<(String, Self)>, Error> {
        match self.place {
            Place::End => Ok(None),
            Place::Header(columns) => {
                self.place = Place::Rows(None);
                Ok(Some((self.file.header(columns), self)))
            }
            Place::Rows(after) => {
                let mut tx = self.call.caller.tx(&self.call.app).await?;
                let rows = errors::after(&mut tx, self.id, Some(self.warnings), after.as_ref(), PIECE_ROWS).await?;
                let mut text = String::new();
                for row in &rows {
                    let detail = row.detail.as_deref().unwrap_or_default();
                    self.file.row(&mut text, row.line_number.unsigned_abs(), &row.code, detail, &row.cells.0);
                }
                self.place = rows.last().map_or(Place::End, |row| Place::Rows(Some(row.key())));
                Ok(Some((text, self)))
            }
        }
    }
}
