//! Calls of which only the status counts: of the answer no more is read than may be shown to people.

use std::time::Duration;

use tracing::Instrument;
use url::{Host, Url};

use super::{Answer, Call, Http, Wait, egress, egress_refused, record_outcome, record_status, retry_after};
use crate::ClientError;

/// Longest wait for the addresses of a name.
const NAMED_WITHIN: Duration = Duration::from_secs(3);

impl Http {
    /// Makes one call and reads no more than so many bytes of the answer. Once there is a status, the call has ended: a body that is cut off, or
    /// does not come in time, is shorter.
    pub async fn glance(&self, call: Call, most: usize) -> Result<Answer, ClientError> {
        let span = call.span();
        async {
            let result = self.reach(call, Wait::Whole).await.inspect_err(record_outcome);
            let mut response = result.inspect(|response| record_status(response.status()))?;
            let (status, retry_after) = (response.status(), retry_after(&response));
            let mut body = Vec::new();
            while body.len() < most
                && let Ok(Some(chunk)) = response.chunk().await
            {
                body.extend_from_slice(&chunk[..chunk.len().min(most - body.len())]);
            }
            Ok(Answer { status, retry_after, body })
        }
        .instrument(span)
        .await
    }

    /// Whether a call to that address would be let out now, with its name asked for. The call itself asks once more, and connects to nothing but
    /// what that answer holds.
    pub async fn check(&self, url: &Url) -> Result<(), ClientError> {
        if !self.allows(url) {
            return Err(egress_refused());
        }
        let Some(Host::Domain(name)) = url.host() else { return Ok(()) };
        let resolver = egress::GuardedResolver { policy: self.inner.egress, names: self.inner.names.clone() };
        match tokio::time::timeout(NAMED_WITHIN, resolver.addresses(name)).await {
            Ok(Ok(found)) if !found.is_empty() => Ok(()),
            Ok(Err(error)) if error.is::<egress::Refused>() => Err(egress_refused()),
            Ok(_) | Err(_) => Err(ClientError::Transient { reason: "dns" }),
        }
    }
}
