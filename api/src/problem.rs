//! Errors as `application/problem+json`. Handlers and extractors only say what is wrong; [`render`] writes the body, in one place,
//! and logs a fault of ours once.

use std::{borrow::Cow, sync::Arc, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use crm::Error;
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of every error.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was not done.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    field: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
    cause: Option<anyhow::Error>,
}

/// The body of an error.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Names the kind of error, `urn:paloma:problem:not_found`.
    pub r#type: String,
    /// The status in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Stable code for programs.
    pub code: &'static str,
    /// What to do, for people.
    pub detail: String,
    /// The field at fault, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Names the request in the logs. Absent for 404: what is foreign and what is missing answer alike, to the byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// A problem of HTTP itself, which the product does not know.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, detail: detail.into(), field: None, retry_after: None, cause: None }
    }
    /// A fault of ours, with what is to be logged.
    pub fn internal(cause: anyhow::Error) -> Self {
        Self { cause: Some(cause), ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", INTERNAL) }
    }
    /// Names the field at fault.
    #[must_use]
    pub fn field(self, field: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(field.into()), ..self }
    }
    /// The status it answers with.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }
    /// Its stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }
}

const INTERNAL: &str = "something failed on our side; the request id names it in the logs";

const fn status(error: &Error) -> StatusCode {
    match error {
        Error::NotFound => StatusCode::NOT_FOUND,
        Error::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Conflict { .. } | Error::PlanLimit(_) => StatusCode::CONFLICT,
        Error::Unauthorized | Error::BadCredentials | Error::CodeNeeded | Error::BadCode => StatusCode::UNAUTHORIZED,
        Error::Forbidden(_)
        | Error::OutOfScope(_)
        | Error::FactorNeeded
        | Error::ProofNeeded
        | Error::Impersonated
        | Error::Suspended => StatusCode::FORBIDDEN,
        Error::Limited { .. } | Error::RateLimited { .. } | Error::QuotaExceeded { .. } => {
            StatusCode::TOO_MANY_REQUESTS
        }
        Error::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl<E: Into<Error>> From<E> for Problem {
    fn from(error: E) -> Self {
        let error = error.into();
        let problem = Self::new(status(&error), error.code(), error.to_string());
        match error {
            Error::Invalid { field, .. } => problem.field(field),
            Error::Limited { retry_after }
            | Error::RateLimited { retry_after }
            | Error::QuotaExceeded { retry_after } => Self { retry_after: Some(retry_after), ..problem },
            Error::Unavailable => Self { retry_after: Some(Duration::from_secs(1)), ..problem },
            Error::Internal(cause) => Self::internal(cause),
            _ => problem,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Writes the body of whatever went wrong inside: a [`Problem`], or a refusal of the framework, whose text becomes the detail.
pub async fn render(response: Response, request_id: &str) -> Response {
    let status = response.status();
    if status.as_u16() < 400 || response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == MEDIA_TYPE) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let problem = match parts.extensions.remove::<Arc<Problem>>() {
        Some(problem) => problem,
        None => Arc::new(of_framework(status, body).await),
    };
    if let Some(cause) = &problem.cause {
        tracing::error!(error = format!("{cause:#}"), "the request failed");
    }
    let body = ProblemBody {
        r#type: format!("urn:paloma:problem:{}", problem.code),
        title: status.canonical_reason().unwrap_or("Error"),
        status: status.as_u16(),
        code: problem.code,
        detail: problem.detail.to_string(),
        field: problem.field.as_ref().map(ToString::to_string),
        request_id: (status != StatusCode::NOT_FOUND).then(|| request_id.to_owned()),
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    if let Some(wait) = problem.retry_after {
        parts.headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs_f64().ceil() as u64));
    }
    Response::from_parts(parts, Body::from(serde_json::to_vec(&body).unwrap_or_default()))
}

async fn of_framework(status: StatusCode, body: Body) -> Problem {
    let code = match status {
        StatusCode::BAD_REQUEST => "bad_request",
        StatusCode::NOT_FOUND => return Error::NotFound.into(),
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::PAYLOAD_TOO_LARGE => "too_large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_media_type",
        StatusCode::UNPROCESSABLE_ENTITY => "invalid_body",
        StatusCode::UPGRADE_REQUIRED => "upgrade_required",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        status if status.is_server_error() => "internal",
        _ => "bad_request",
    };
    let text =
        to_bytes(body, 4096).await.ok().and_then(|bytes| String::from_utf8(bytes.to_vec()).ok()).unwrap_or_default();
    let fits = !status.is_server_error() && !text.is_empty();
    let detail =
        if fits { text } else { status.canonical_reason().unwrap_or("the request was refused").to_lowercase() };
    Problem::new(status, code, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(response: Response) -> (StatusCode, String) {
        let status = response.status();
        assert_eq!(response.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
        (status, String::from_utf8(to_bytes(response.into_body(), 4096).await.unwrap().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn an_error_of_the_product_becomes_its_status_code_and_field() {
        let problem = Problem::from(Error::invalid("name", "name_length", "too long"));
        let (status, text) = body(render(problem.into_response(), "r1").await).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["code"], "name_length");
        assert_eq!(json["field"], "name");
        assert_eq!(json["request_id"], "r1");
        assert_eq!(json["type"], "urn:paloma:problem:name_length");
    }

    #[tokio::test]
    async fn every_404_is_the_same_bytes_also_the_frameworks_own() {
        let ours = body(render(Problem::from(Error::NotFound).into_response(), "r1").await).await;
        let other = body(render((StatusCode::NOT_FOUND, "no route").into_response(), "r2").await).await;
        assert_eq!(ours, other);
    }

    #[tokio::test]
    async fn a_fault_of_ours_says_nothing_about_itself() {
        let problem = Problem::from(Error::Internal(anyhow::anyhow!("password=hunter2")));
        let (status, text) = body(render(problem.into_response(), "r1").await).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!text.contains("hunter2"));
    }

    #[tokio::test]
    async fn a_refusal_of_the_framework_gets_a_code() {
        let refused = (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Expected JSON").into_response();
        let (_, text) = body(render(refused, "r1").await).await;
        assert!(text.contains("\"code\":\"unsupported_media_type\"") && text.contains("Expected JSON"));
    }

    #[tokio::test]
    async fn a_limit_says_when_to_come_back() {
        let response =
            render(Problem::from(Error::Limited { retry_after: Duration::from_millis(1500) }).into_response(), "r")
                .await;
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }
}
