//! One call to a gateway and what its end proves. The call is made once; what can't be known is said so, never repeated blindly.

use std::{future::Future, time::Duration};

use clients::{
    ClientError,
    blobs::BlobError,
    gateway::{SendFile, SendText, Sent},
};
use jobs::{Cx, Retry, Tenant};

use crate::{
    App,
    messaging::lines::{self, LineGateway, LineId},
};

/// How long a send waits that was leased before its tenant was suspended: the others are held by the gates.
pub const STILL: Duration = Duration::from_secs(30);
/// How a send is tried again that is known not to have gone out.
pub const RETRY: Retry = Retry::exponential(8).from_secs(2).up_to_secs(120);
/// How long a gateway is left alone that does not say for how long.
const LEFT_ALONE: Duration = Duration::from_secs(30);
/// How long a message waits for a store of files that is away.
const FILES_AWAY_S: f64 = 30.0;
/// Why a message waits that the gateway does not want yet.
const LIMITED: &str = "limited";
/// Past the longest a gateway may be given for one send.
pub const TIMEOUT: Duration = Duration::from_secs(700);

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// It is out, under the gateway's guid where that is known.
    Sent {
        /// The gateway's id.
        guid: Option<String>,
        /// What carries it.
        service: &'static str,
    },
    /// It is not out and never will be.
    Failed {
        /// Stable code.
        reason: String,
        /// The gateway's id of what did not go out, where there is one: later reports of it are no other message.
        guid: Option<String>,
    },
    /// Nobody knows.
    Unknown {
        /// Stable code.
        reason: &'static str,
    },
    /// It is not out: try again after so many seconds.
    Again {
        /// Seconds.
        after_s: f64,
        /// Stable code.
        reason: String,
    },
    /// It is not out, and nothing was wrong with it: the gateway asked to be left alone, or its files can't be had. No attempt is burnt.
    Later {
        /// Seconds.
        after_s: f64,
        /// Stable code.
        reason: &'static str,
    },
}

impl Ending {
    /// The word for it in SQL.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Sent { .. } => "sent",
            Self::Failed { .. } => "failed",
            Self::Unknown { .. } => "unknown",
            Self::Again { .. } | Self::Later { .. } => "again",
        }
    }
    /// The gateway's id, where the call brought one.
    pub(crate) fn guid(&self) -> Option<&str> {
        match self {
            Self::Sent { guid, .. } | Self::Failed { guid, .. } => guid.as_deref(),
            Self::Unknown { .. } | Self::Again { .. } | Self::Later { .. } => None,
        }
    }
    /// Why, as a stable code.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::Sent { .. } => None,
            Self::Failed { reason, .. } | Self::Again { reason, .. } => Some(reason),
            Self::Unknown { reason } | Self::Later { reason, .. } => Some(reason),
        }
    }
}

/// What it means for a message that its files could not be brought: nothing of it has gone out.
pub fn without_files(cx: &Cx<App, Tenant>, error: &BlobError) -> Ending {
    match error {
        BlobError::Missing => Ending::Failed { reason: "file_lost".to_owned(), guid: None },
        BlobError::Away { .. } | BlobError::Refused { .. } => {
            tracing::warn!(%error, "a message waits for its files");
            Ending::Later { after_s: FILES_AWAY_S, reason: "files_away" }
        }
        BlobError::Disk(_) if cx.is_last_attempt() => Ending::Failed { reason: "disk".to_owned(), guid: None },
        BlobError::Disk(_) => {
            Ending::Again { after_s: RETRY.wait(cx.attempt).as_secs_f64(), reason: "disk".to_owned() }
        }
    }
}

/// Sends files, and the text with them, as one message.
pub async fn send_files(
    cx: &Cx<App, Tenant>,
    line: &LineGateway,
    line_id: LineId,
    message: SendText,
    files: &[SendFile],
) -> Ending {
    let result = line.gateway.send_files(&message, files).await;
    judge(cx, line_id, result)
}

/// Sends one text and tells the line's gate how the gateway behaved. `proven` ends the wait early, when something else has shown that the
/// message is out.
pub async fn send(
    cx: &Cx<App, Tenant>,
    line: &LineGateway,
    line_id: LineId,
    message: SendText,
    proven: impl Future<Output = ()>,
) -> Ending {
    let result = tokio::select! {
        result = line.gateway.send_text(&message) => result,
        () = proven => {
            cx.report(&lines::gate_key(line_id), true, "");
            return Ending::Sent { guid: None, service: "unknown" };
        }
    };
    let result = match result {
        // the gateway spells this chat otherwise: ask once, then send under its own name; nothing has gone out yet
        Err(ClientError::Rejected { code: "chat_not_found", .. }) => under_its_own_name(line, message).await,
        other => other,
    };
    judge(cx, line_id, result)
}

/// The same over SMS, whatever the other side has.
pub async fn send_as_sms(cx: &Cx<App, Tenant>, line: &LineGateway, line_id: LineId, message: SendText) -> Ending {
    let result = line.gateway.send_sms(&message).await;
    judge(cx, line_id, result)
}

/// Tells the gate of the line how the gateway behaved, and says what that means for the message.
fn judge(cx: &Cx<App, Tenant>, line_id: LineId, result: Result<Sent, ClientError>) -> Ending {
    let gate = lines::gate_key(line_id);
    let answered = match &result {
        Ok(_) | Err(ClientError::Limited { .. }) => true,
        // the gateway was not asked
        Err(ClientError::Paced { wait }) => return Ending::Later { after_s: wait.as_secs_f64(), reason: LIMITED },
        Err(ClientError::Rejected { code, .. }) => !is_of_line(code),
        Err(ClientError::Transient { .. } | ClientError::Unauthorized | ClientError::UnknownOutcome { .. }) => false,
    };
    cx.report(&gate, answered, result.as_ref().err().map_or("", |error| error.code()));
    if let Err(ClientError::Limited { retry_after }) = &result {
        let wait = retry_after.unwrap_or(LEFT_ALONE);
        cx.rest(&gate, wait);
        return Ending::Later { after_s: wait.as_secs_f64(), reason: LIMITED };
    }
    ending(cx, result)
}

async fn under_its_own_name(line: &LineGateway, message: SendText) -> Result<Sent, ClientError> {
    match line.gateway.find_chat(&message.address).await? {
        Some(chat) => line.gateway.send_text(&SendText { chat_guid: Some(chat.guid), ..message }).await,
        None => {
            Err(ClientError::Rejected { code: "chat_not_found", message: "the gateway has no chat with this address" })
        }
    }
}

/// Faults of the line or its gateway, not of the one who is written to.
fn is_of_line(code: &str) -> bool {
    matches!(
        code,
        "private_api_off"
            | "not_supported"
            | "proxy_refused"
            | "redirected"
            | "egress_refused"
            | "bad_base_url"
            | "not_found"
    )
}

/// What an answer of the gateway means for the message.
fn ending(cx: &Cx<App, Tenant>, result: Result<Sent, ClientError>) -> Ending {
    let again = |reason: String| {
        if cx.is_last_attempt() {
            Ending::Failed { reason, guid: None }
        } else {
            Ending::Again { after_s: RETRY.wait(cx.attempt).as_secs_f64(), reason }
        }
    };
    match result {
        Ok(sent) => match sent.error {
            None | Some(0) => Ending::Sent { guid: Some(sent.guid), service: sent.service.as_str() },
            Some(code) => Ending::Failed { reason: format!("gateway_error_{code}"), guid: Some(sent.guid) },
        },
        Err(ClientError::UnknownOutcome { reason }) => Ending::Unknown { reason },
        Err(ClientError::Rejected { code, .. }) if !is_of_line(code) => {
            Ending::Failed { reason: code.to_owned(), guid: None }
        }
        Err(error) => again(error.code().to_owned()),
    }
}
