//! Webhooks that we send, in the words of Standard Webhooks: the id and the time of an attempt stand in headers, with a signature over both and
//! over the bytes of the body.

use std::time::Duration;

use url::Url;

use crate::{
    ClientError,
    http::{Answer, Call, Effect, Http, Method},
};

/// Bytes of an answer that are read.
const GLANCE: usize = 2048;

/// One attempt at telling somebody something.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// To whom.
    pub url: Url,
    /// What the receiver knows it by: the same at each attempt.
    pub id: &'a str,
    /// Seconds since 1970.
    pub timestamp: i64,
    /// `v1,…`, one for each secret, with a space between them.
    pub signature: &'a str,
    /// What was signed.
    pub body: Vec<u8>,
    /// Longest wait, from the name to the answer.
    pub timeout: Duration,
}

/// Makes the attempt. Whatever the status is, it is an answer; redirects are not followed.
pub async fn post(http: &Http, attempt: Attempt<'_>) -> Result<Answer, ClientError> {
    let call = Call {
        service: "webhook",
        op: "deliver",
        method: Method::POST,
        url: attempt.url,
        json: Some(attempt.body),
        form: None,
        file: None,
        headers: &[],
        own_headers: vec![
            ("webhook-id", attempt.id.to_owned()),
            ("webhook-timestamp", attempt.timestamp.to_string()),
            ("webhook-signature", attempt.signature.to_owned()),
        ],
        range: None,
        timeout: attempt.timeout,
        effect: Effect::Repeatable,
    };
    http.glance(call, GLANCE).await
}
