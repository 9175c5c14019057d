//! The body of an upload, piece by piece into the database, whatever its form. Keeps no file: what the client sends faster than it is
//! stored waits in the socket.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    body::Body,
    extract::{
        Multipart,
        multipart::{MultipartError, MultipartRejection},
    },
    http::StatusCode,
    response::Response,
};
use bytes::Bytes;
use crm::{
    Error,
    contacts::import::{
        Mode,
        start::{self, Options, Upload},
    },
};
use futures::StreamExt;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{actor::Call, limits, once::Once, problem::Problem};

/// A client that sends nothing for so long has gone.
const IDLE: Duration = Duration::from_secs(60);

/// Options of an import in the query, where the body is the file.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// The name shown for the file.
    file_name: Option<String>,
    /// What happens to phones that are known already.
    mode: Option<Mode>,
    /// Column to field, as a JSON object.
    mapping: Option<String>,
    /// The column of the phone.
    phone_column: Option<String>,
    /// utf-8, utf-16le, utf-16be, windows-1252 or macintosh.
    encoding: Option<String>,
    /// Comma, semicolon, | or `tab`.
    delimiter: Option<String>,
    /// Whether the first row names the columns.
    has_header: Option<bool>,
    /// Country of numbers without a country code, ISO 3166.
    region: Option<String>,
    /// The organization that the file is of: where no region is said, its own counts.
    organization_id: Option<Uuid>,
    /// true: the file is only kept, to be looked at, tried and then started; the answer is its preview.
    hold: Option<bool>,
}

impl ImportQuery {
    /// The options they are.
    pub fn options(self) -> Result<Options, Problem> {
        let mapping: BTreeMap<String, String> = match self.mapping.as_deref() {
            None | Some("") => BTreeMap::new(),
            Some(text) => serde_json::from_str(text).map_err(|error| {
                Error::invalid(
                    "mapping",
                    "invalid_query",
                    format!("mapping is a JSON object of column to field: {error}"),
                )
            })?,
        };
        let encoding = self.encoding.as_deref().map(str::parse).transpose();
        let encoding = encoding.map_err(|error: crm::contacts::import::decode::EncodingError| {
            Error::invalid("encoding", "encoding_unknown", error.to_string())
        })?;
        Ok(Options {
            file_name: self.file_name,
            mode: self.mode.unwrap_or_default(),
            mapping,
            phone_column: self.phone_column,
            encoding,
            delimiter: self.delimiter,
            has_header: self.has_header,
            region: self.region,
            organization_id: self.organization_id.map(Into::into),
            hold: self.hold.unwrap_or_default(),
        })
    }
}

/// The fields of the form.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the form; its fields are read as a stream")]
pub struct ImportForm {
    /// The file.
    #[schema(value_type = String, format = Binary)]
    file: String,
    /// How to read it, as JSON; in place of the query.
    options: Option<Options>,
}

/// Takes the file as the whole body.
pub async fn raw(call: Call, once: Once, options: Options, body: Body) -> Result<Response, Problem> {
    let once = once.over(&serde_json::to_vec(&options).unwrap_or_default());
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    // the key is taken again with the import itself; an upload may last longer than a transaction should
    drop(tx);
    let mut stored = Stored::new(call);
    let mut pieces = body.into_data_stream();
    while let Some(piece) = in_time(pieces.next()).await.transpose() {
        match piece.and_then(|piece| piece.map_err(|error| broken(&error))) {
            Ok(piece) => stored.feed(&options, piece).await,
            Err(problem) => {
                stored.refuse(problem);
                break;
            }
        }
    }
    stored.finish(once, &options).await
}

/// Takes the file out of a form; options may stand before it or behind it.
pub async fn form(call: Call, once: Once, mut options: Options, mut form: Multipart) -> Result<Response, Problem> {
    let mut stored = Stored::new(call);
    if let Err(problem) = read_form(&mut stored, &mut options, &mut form).await {
        stored.refuse(problem);
    }
    let once = once.over(&serde_json::to_vec(&options).unwrap_or_default());
    stored.finish(once, &options).await
}

async fn read_form(stored: &mut Stored, options: &mut Options, form: &mut Multipart) -> Result<(), Problem> {
    let mut files = 0;
    while let Some(mut field) = in_time(form.next_field()).await?.map_err(|error| refuse_part(&error))? {
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "file" => {
                files += 1;
                if files > 1 {
                    return Err(Error::invalid("file", "one_file", "send one file at a time").into());
                }
                options.file_name = options.file_name.take().or_else(|| field.file_name().map(str::to_owned));
                while let Some(piece) = in_time(field.chunk()).await?.map_err(|error| refuse_part(&error))? {
                    stored.feed(options, piece).await;
                }
            }
            "options" => {
                let mut text = Vec::new();
                while let Some(piece) = in_time(field.chunk()).await?.map_err(|error| refuse_part(&error))? {
                    text.extend_from_slice(&piece);
                    if text.len() > limits::BODY {
                        return Err(Error::TooLarge("the options are larger than allowed".to_owned()).into());
                    }
                }
                let file_name = options.file_name.take();
                *options = crate::extract::read(&text)?;
                options.file_name = options.file_name.take().or(file_name);
            }
            _ => {
                let message = "the form has the fields file and options";
                return Err(Error::invalid("file", "field_unknown", message).into());
            }
        }
    }
    if files == 0 {
        Err(Error::invalid("file", "file_missing", "the form has no field named file").into())
    } else {
        Ok(())
    }
}

/// An upload on its way into the database, and why it was refused, if it was. What comes after a refusal is read and dropped, so that
/// the client gets to the answer.
struct Stored {
    call: Call,
    upload: Upload,
    refused: Option<Problem>,
}

impl Stored {
    fn new(call: Call) -> Self {
        Self { call, upload: Upload::new(), refused: None }
    }

    async fn feed(&mut self, options: &Options, mut piece: Bytes) {
        while self.refused.is_none() && !piece.is_empty() {
            if self.upload.take(&mut piece)
                && let Err(problem) = self.store(options).await
            {
                self.refuse(problem);
            }
        }
    }

    async fn store(&mut self, options: &Options) -> Result<(), Problem> {
        let mut tx = self.call.tx().await?;
        self.upload.store(&mut tx, options).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The first refusal is the one that is told.
    fn refuse(&mut self, problem: Problem) {
        self.refused.get_or_insert(problem);
    }

    async fn finish(self, once: Once, options: &Options) -> Result<Response, Problem> {
        let Self { call, upload, refused } = self;
        let stored = upload.stored();
        let finished = match refused {
            Some(problem) => Err(problem),
            None => settle(&call, upload, once, options).await,
        };
        let replayed = finished.as_ref().is_ok_and(|response| response.headers().contains_key("idempotency-replayed"));
        if let Some(id) = stored
            && (finished.is_err() || replayed)
        {
            let mut tx = call.tx().await?;
            start::abandon(&mut tx, id).await?;
            tx.commit().await?;
        }
        finished
    }
}

async fn settle(call: &Call, upload: Upload, once: Once, options: &Options) -> Result<Response, Problem> {
    let mut tx = call.tx().await?;
    if let Some(replay) = once.replay(&mut tx).await? {
        return Ok(replay);
    }
    if options.hold {
        let preview = upload.hold(&mut tx, options).await?;
        return once.created(tx, &preview).await;
    }
    let import = upload.finish(&mut tx, options).await?;
    once.created(tx, &import).await
}

/// Waits for the next piece of an upload, as long as a client may be silent.
pub async fn in_time<T>(piece: impl Future<Output = T>) -> Result<T, Problem> {
    within(IDLE, piece).await
}

async fn within<T>(wait: Duration, piece: impl Future<Output = T>) -> Result<T, Problem> {
    let detail = "nothing of the upload came for a minute";
    let late = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "upload_stalled", detail);
    tokio::time::timeout(wait, piece).await.map_err(late)
}

fn too_large() -> Problem {
    Error::TooLarge("the file is larger than allowed".to_owned()).into()
}

/// A body that breaks off or is too long.
fn broken(error: &axum::Error) -> Problem {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return too_large();
        }
        cause = error.source();
    }
    Problem::new(StatusCode::BAD_REQUEST, "upload_broken", "the upload broke off")
}

/// A part of a form that can't be read: too large, or broken off.
pub fn refuse_part(error: &MultipartError) -> Problem {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        status => Problem::new(status, "upload_broken", error.body_text()),
    }
}

/// A form that is none.
pub fn refuse_form(refusal: &MultipartRejection) -> Problem {
    Problem::new(refusal.status(), "bad_request", refusal.body_text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_that_falls_silent_is_told_so() {
        let problem = within(Duration::ZERO, std::future::pending::<()>()).await.unwrap_err();
        assert_eq!((problem.status(), problem.code()), (StatusCode::REQUEST_TIMEOUT, "upload_stalled"));
    }
}
