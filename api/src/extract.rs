//! What handlers take out of a request, with refusals that say what to do. The names are axum's, so that the OpenAPI derive knows them.

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use crm::Error;
use db::PageOf;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::{IntoParams, ToSchema};

use crate::{Api, once::Once, problem::Problem, strict::Strict};

/// A part of the path. One that does not parse names nothing, so it answers like a missing thing.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for Path<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let path = axum::extract::Path::from_request_parts(parts, api).await.map_err(|_| Error::NotFound)?;
        Ok(Self(path.0))
    }
}

/// The query.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Query<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let query = axum::extract::Query::try_from_uri(&parts.uri)
            .map_err(|rejection| Error::invalid("query", "invalid_query", rejection.body_text()))?;
        Ok(Self(query.0))
    }
}

/// Which page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Rows wanted, 1 to 200; 50 by default.
    pub limit: Option<i64>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl Paging {
    /// The page asked for, in the key of that list.
    pub fn of<K: DeserializeOwned>(&self) -> Result<PageOf<K>, Problem> {
        Ok(PageOf::parse(self.limit, self.cursor.as_deref())?)
    }
}

/// Why an operator does something.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// In 1 to 500 characters; kept in the audit.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
}

/// A JSON body, in a request or in an answer.
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<T: DeserializeOwned> FromRequest<Api> for Json<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let bytes = json_bytes(request, api).await?;
        Ok(Self(read(&bytes)?))
    }
}

/// The JSON body of a create, which may come twice under one `Idempotency-Key`.
pub struct Create<T> {
    /// The body.
    pub body: T,
    /// Makes the create happen once.
    pub once: Once,
}

impl<T: DeserializeOwned> FromRequest<Api> for Create<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let once = Once::from_request_parts(&mut parts, api).await?;
        let bytes = json_bytes(Request::from_parts(parts, body), api).await?;
        let body = read(&bytes)?;
        Ok(Self { body, once: once.over(&bytes) })
    }
}

async fn json_bytes(request: Request, api: &Api) -> Result<Bytes, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind != "application/json" && !(kind.starts_with("application/") && kind.ends_with("+json")) {
        let detail = "send the body as JSON, with content-type: application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
    }
    Bytes::from_request(request, api).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::from(Error::TooLarge("the body is larger than allowed here".to_owned()))
        }
        status => Problem::new(status, "bad_request", rejection.body_text()),
    })
}

/// A value out of JSON, or what is wrong with it.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if holds_nul(bytes) {
        return Err(Error::invalid("body", "nul_character", "the body contains a NUL character").into());
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(Strict(&mut reader)).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() {
            let field = if path == "." { "body".to_owned() } else { path };
            Problem::from(Error::invalid(field, "invalid_body", inner.to_string()))
        } else {
            Problem::new(StatusCode::BAD_REQUEST, "malformed_json", format!("the body is not JSON: {inner}"))
        }
    })?;
    let end = |error| Problem::new(StatusCode::BAD_REQUEST, "malformed_json", format!("the body is not JSON: {error}"));
    reader.end().map_err(end)?;
    Ok(value)
}

/// Whether a string of the body holds a NUL, bare or escaped: Postgres can't store one.
fn holds_nul(bytes: &[u8]) -> bool {
    if bytes.contains(&0) {
        return true;
    }
    let mut escaped = false;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'u' if escaped && bytes[at + 1..].starts_with(b"0000") => return true,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Body {
        #[expect(dead_code, reason = "only whether it parses matters")]
        name: String,
    }
    fn code(text: &str) -> (u16, &'static str) {
        let problem = read::<Body>(text.as_bytes()).unwrap_err();
        (problem.status().as_u16(), problem.code())
    }

    #[test]
    fn a_body_is_refused_with_the_reason() {
        assert!(read::<Body>(br#"{"name":"a"}"#).is_ok());
        assert_eq!(code(r#"{"name":1}"#), (422, "invalid_body"));
        assert_eq!(code("{}"), (422, "invalid_body"));
        assert_eq!(code(r#"{"name":"#), (400, "malformed_json"));
        assert_eq!(code(r#"{"name":"a"} x"#), (400, "malformed_json"));
        assert_eq!(code(""), (400, "malformed_json"));
    }

    #[test]
    fn a_nul_is_found_bare_and_escaped_but_not_where_the_backslash_is_itself_escaped() {
        assert_eq!(code("{\"name\":\"a\\u0000b\"}"), (422, "nul_character"));
        assert_eq!(code("{\"name\":\"a\0b\"}"), (422, "nul_character"));
        assert_eq!(code("{\"name\":\"\\\\\\u0000\"}"), (422, "nul_character"));
        assert!(read::<Body>(br#"{"name":"\\u0000"}"#).is_ok());
    }
}
