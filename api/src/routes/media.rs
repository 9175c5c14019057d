//! Files: taken in, and served under signed addresses that hold for some minutes. What could run in a browser is only ever saved.

use axum::{
    body::Body,
    extract::{Multipart, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use crm::{
    Error,
    access::{self, Permission},
    messaging::media::{
        self, Asked, Blob, BlobKey, Form, Found, Media, store,
        upload::{Upload, UploadKind},
    },
};
use db::{Actor, TenantTx};
use futures::StreamExt;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use uuid::Uuid;

use crate::{
    Api,
    actor::Call,
    extract::{Json, Path, Query},
    gate::Routes,
    problem::Problem,
    upload::{in_time, refuse_form, refuse_part},
};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .upload(Permission::MediaUpload, routes!(upload))
        .private(Permission::ConversationsView, routes!(of_message))
        .public("a file: the address is signed and holds for some minutes", routes!(serve))
}

/// A form with one file.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read piece by piece; this is what the document shows")]
struct UploadForm {
    /// The file.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// As what it is to go out.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Intent {
    /// As a file, unless it says otherwise.
    #[param(inline)]
    kind: Option<UploadKind>,
}

/// Takes a file in that a message may send.
#[utoipa::path(
    post, path = "/api/v1/media", tag = "media", params(Intent), request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 201, description = "It is there", body = Media))
)]
async fn upload(
    call: Call,
    Query(intent): Query<Intent>,
    form: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> Result<Response, Problem> {
    let mut form = form.map_err(|refusal| refuse_form(&refusal))?;
    while let Some(mut part) = in_time(form.next_field()).await?.map_err(|error| refuse_part(&error))? {
        let Some(name) = part.file_name().map(str::to_owned) else { continue };
        let tenant_id = call.tx().await?.tenant_id();
        let mut upload = Upload::begin(&call.app, tenant_id, &name, intent.kind.unwrap_or_default()).await?;
        while let Some(piece) = in_time(part.chunk()).await?.map_err(|error| refuse_part(&error))? {
            upload.push(&piece).await?;
        }
        let upload = upload.end().await?;
        // known before it is kept: bytes that nobody knows would stay for ever
        let mut tx = call.tx().await?;
        upload.note(&mut tx).await?;
        tx.commit().await?;
        // the store may be far: no transaction is open meanwhile
        upload.keep(&call.app, tenant_id).await?;
        let mut tx = call.tx().await?;
        let media = upload.kept(&call.app, &mut tx).await?;
        tx.commit().await?;
        return Ok((StatusCode::CREATED, Json(media)).into_response());
    }
    Err(Error::invalid("file", "file_missing", "send a form with a file").into())
}

/// The files of a message.
#[utoipa::path(
    get, path = "/api/v1/messages/{id}/media", tag = "media", params(("id" = Uuid, Path)),
    responses((status = 200, body = Vec<Media>))
)]
async fn of_message(call: Call, Path(id): Path<Uuid>) -> Result<Json<Vec<Media>>, Problem> {
    let mut tx = call.tx().await?;
    Ok(Json(media::of_message(&mut tx, &call.app.keys, id).await?))
}

/// What a signed address says.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Signed {
    /// original, thumbnail or playable.
    form: String,
    /// Whose.
    tenant: Uuid,
    /// Until when it holds, in seconds since 1970.
    expires: i64,
    /// To whom it was given, where they see some conversations only.
    who: Option<String>,
    /// That it is ours.
    signature: String,
}

/// Serves a file, whole or a range of it. An address is part of what lists files; it is not made by hand.
#[utoipa::path(
    get, path = "/api/v1/media/{id}", tag = "media", params(("id" = Uuid, Path), Signed),
    responses((status = 200, description = "The bytes"), (status = 206, description = "A range of them"), (status = 416, description = "No such range"))
)]
async fn serve(
    State(api): State<Api>,
    Path(id): Path<Uuid>,
    Query(signed): Query<Signed>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let form = Form::from_name(&signed.form).ok_or(Error::NotFound)?;
    let key = BlobKey { tenant_id: signed.tenant, id, form };
    let mut tx = api.app.db.tenant(signed.tenant, Actor::Hook("media")).await.map_err(|_| Error::NotFound)?;
    let who = signed.who.as_deref();
    if !media::is_ours(&api.app.keys, key, (who, signed.expires, &signed.signature), db::Scope::now(&tx)) {
        return Err(Error::NotFound.into());
    }
    if let Some(who) = who {
        drop(tx);
        tx = tx_of(&api, signed.tenant, who).await?;
    }
    let served = media::serve(&mut tx, key).await?;
    drop(tx);
    let blob = match store::open(&api.app, key, asked(&headers)).await? {
        Found::Blob(blob) => blob,
        Found::Beyond { length } => {
            let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
            if let Some(value) = length.and_then(|length| HeaderValue::from_str(&format!("bytes */{length}")).ok()) {
                response.headers_mut().insert(header::CONTENT_RANGE, value);
            }
            return Ok(response);
        }
    };
    let Blob { length, start, end, is_part, .. } = blob;
    let mut response = Response::new(pieces(blob));
    if is_part {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    let put = |response: &mut Response, name: header::HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    put(&mut response, header::CONTENT_TYPE, &served.mime);
    put(&mut response, header::CONTENT_LENGTH, &(end - start).to_string());
    put(&mut response, header::ACCEPT_RANGES, "bytes");
    put(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(&mut response, header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    put(&mut response, header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    put(&mut response, header::REFERRER_POLICY, "no-referrer");
    put(&mut response, header::CACHE_CONTROL, "private, max-age=600, immutable");
    put(&mut response, header::CONTENT_DISPOSITION, &disposition(served.is_inline, &served.name));
    if is_part {
        put(&mut response, header::CONTENT_RANGE, &format!("bytes {start}-{}/{length}", end - 1));
    }
    Ok(response)
}

/// What somebody sees by now to whom an address was given. Who is not known any more, may not look any more or has to set a second factor up first is told
/// nothing else than that the file is not there.
async fn tx_of(api: &Api, tenant_id: Uuid, who: &str) -> Result<TenantTx, Error> {
    let via = who.parse().map_err(|_| Error::NotFound)?;
    let caller = access::known(&api.app, tenant_id, via).await?.ok_or(Error::NotFound)?;
    if caller.lacks_factor {
        return Err(Error::NotFound);
    }
    let looks = |permission| caller.permissions.contains(permission);
    if !looks(Permission::ConversationsView) && !looks(Permission::ConversationsReply) {
        return Err(Error::NotFound);
    }
    caller.tx_within(&api.app, &caller.sight(Permission::ConversationsReply)).await
}

/// A file, piece by piece. One that breaks off ends the connection, so that nobody takes a part for all of it.
pub(super) fn pieces(blob: Blob) -> Body {
    let stream = futures::stream::unfold(Some(blob), |blob| async move {
        let mut blob = blob?;
        match blob.next().await {
            Ok(piece) => Some((Ok(piece?), Some(blob))),
            Err(error) => {
                tracing::warn!(%error, "a file broke off");
                Some((Err(error), None))
            }
        }
    });
    Body::from_stream(stream.boxed())
}

/// The name in ASCII and in full; nothing of it ends the header.
fn disposition(is_inline: bool, name: &str) -> String {
    let word = if is_inline { "inline" } else { "attachment" };
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || " ._-()".contains(c) { c } else { '_' }).collect();
    let full: String = name
        .bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"._-".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect();
    format!("{word}; filename=\"{plain}\"; filename*=UTF-8''{full}")
}

/// Which bytes are asked for: one range. Several, or another unit, is all of it.
fn asked(headers: &HeaderMap) -> Asked {
    let Some(text) = headers.get(header::RANGE).and_then(|value| value.to_str().ok()) else { return Asked::All };
    let Some((from, to)) = text.strip_prefix("bytes=").and_then(|spec| spec.trim().split_once('-')) else {
        return Asked::All;
    };
    match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), Ok(to)) if from <= to => Asked::Between(from, to),
        (Ok(from), Err(_)) if to.is_empty() => Asked::From(from),
        (Err(_), Ok(last)) if from.is_empty() => Asked::Last(last),
        _ => Asked::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_part_of_the_file_or_nothing() {
        let asked = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, HeaderValue::from_str(text).unwrap());
            asked(&headers).within(100)
        };
        let all = Some((0, 100));
        assert_eq!((asked("bytes=0-9"), asked("bytes=90-")), (Some((0, 10)), Some((90, 100))));
        assert_eq!((asked("bytes=-5"), asked("bytes=0-1000")), (Some((95, 100)), all));
        assert_eq!((asked("bytes=100-"), asked("bytes=-0"), asked("bytes=-1000")), (None, None, all));
        assert_eq!((asked("bytes=5-1"), asked("lines=0-1"), asked("bytes=0-1,5-6")), (all, all, all));
        assert_eq!(asked("bytes=0-18446744073709551615"), all);
    }

    #[test]
    fn a_name_ends_no_header() {
        let said = disposition(false, "ñ\"\r\nX-Evil: 1;.svg");
        assert!(!said.contains(['\r', '\n']) && said.matches('"').count() == 2, "{said}");
    }
}
