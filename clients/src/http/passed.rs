//! Requests that a library has made ready: sent as they are, behind the same guard, breaker and limits as every other call.

use std::time::Duration;

use openidconnect::{HttpRequest, HttpResponse, http};
use tracing::{Instrument, field};
use url::{Position, Url};

use super::{Effect, Http, record_outcome, record_status, sort};
use crate::ClientError;

impl Http {
    /// Sends the request and reads the whole answer within `timeout`. A status of the server's own failure (5xx) is no answer.
    pub(crate) async fn pass(
        &self,
        (service, op): (&'static str, &'static str),
        request: HttpRequest,
        timeout: Duration,
    ) -> Result<HttpResponse, ClientError> {
        let unusable = || ClientError::rejected("bad_address", "the address of the service is not usable");
        let url = Url::parse(&request.uri().to_string()).map_err(|_| unusable())?;
        let span = tracing::info_span!(
            "client.call",
            service,
            op,
            host = &url[Position::BeforeHost..Position::BeforePath],
            status = field::Empty,
            outcome = field::Empty,
        );
        let mut request = reqwest::Request::try_from(request).map_err(|_| unusable())?;
        *request.timeout_mut() = Some(timeout);
        async {
            let answer = self.exchanged(&url, request).await;
            answer.inspect(|answer| record_status(answer.status())).inspect_err(record_outcome)
        }
        .instrument(span)
        .await
    }

    async fn exchanged(&self, url: &Url, request: reqwest::Request) -> Result<HttpResponse, ClientError> {
        let effect = Effect::Repeatable;
        let asked = async { self.inner.client.execute(request).await.map_err(|error| sort(&error, effect)) };
        let response = self.admitted(url, asked).await?;
        if response.status().is_server_error() {
            return Err(ClientError::Transient { reason: "server_error" });
        }
        let mut answer = http::Response::builder().status(response.status());
        if let Some(headers) = answer.headers_mut() {
            headers.extend(response.headers().clone());
        }
        let body = self.read(response, effect).await?;
        answer.body(body).map_err(|_| effect.lost("answer_cut"))
    }
}
