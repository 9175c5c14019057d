//! What can become of an outbound call, said so that a caller can decide about retrying without knowing the service.
//! It is made of fixed words only: no URL, secret, address or message text can be inside, whatever the other side answered.

use std::time::Duration;

/// How an outbound call ended when it did not end well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// Nothing was done on the other side, or the call may simply be repeated; trying later may succeed.
    #[error("the service cannot be reached now ({reason})")]
    Transient {
        /// Stable word for the cause, such as `connect_refused`.
        reason: &'static str,
    },
    /// The other side asks to slow down; nothing was done.
    #[error("the service asks to slow down")]
    Limited {
        /// How long to wait, if it said so.
        retry_after: Option<Duration>,
    },
    /// This process has called the service as often as it may for now; the service was not asked.
    #[error("the service may not be called before {wait:?} have passed")]
    Paced {
        /// How long to wait.
        wait: Duration,
    },
    /// Refused for good, with no effect; repeating the same call is pointless.
    #[error("the service refused the request: {message} ({code})")]
    Rejected {
        /// Stable word for the cause, such as `chat_not_found`.
        code: &'static str,
        /// The same for people, in our words.
        message: &'static str,
    },
    /// The credentials are wrong or were revoked; nothing was done.
    #[error("the service does not accept the credentials")]
    Unauthorized,
    /// The request may have been acted on: it must be looked up, never blindly repeated.
    #[error("the outcome of the request is not known ({reason})")]
    UnknownOutcome {
        /// Stable word for the cause, such as `timeout`.
        reason: &'static str,
    },
}

impl ClientError {
    /// The stable code for programs, metrics and stored results.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Transient { reason } | Self::UnknownOutcome { reason } => reason,
            Self::Limited { .. } => "limited",
            Self::Paced { .. } => "paced",
            Self::Rejected { code, .. } => code,
            Self::Unauthorized => "unauthorized",
        }
    }

    /// The class of the error in one word, for spans and metric labels.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Transient { .. } => "transient",
            Self::Limited { .. } => "limited",
            Self::Paced { .. } => "paced",
            Self::Rejected { .. } => "rejected",
            Self::Unauthorized => "unauthorized",
            Self::UnknownOutcome { .. } => "unknown_outcome",
        }
    }

    /// Whether it is certain that the request had no effect, so that the same thing may be done again later.
    pub fn proves_no_effect(&self) -> bool {
        !matches!(self, Self::UnknownOutcome { .. })
    }

    pub(crate) const fn rejected(code: &'static str, message: &'static str) -> Self {
        Self::Rejected { code, message }
    }
}
