//! What can go wrong in the product, each with a stable code that the API returns and the screens translate.

use std::{borrow::Cow, time::Duration};

/// An error of the product.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or not in this tenant: both answer alike.
    #[error("not found")]
    NotFound,
    /// What was sent can't be taken.
    #[error("{message}")]
    Invalid {
        /// The field at fault, as the request names it.
        field: Cow<'static, str>,
        /// Stable code, `template_unknown_variable`.
        code: &'static str,
        /// What to do, in English.
        message: String,
    },
    /// The thing is in a state that does not allow it.
    #[error("{message}")]
    Conflict {
        /// Stable code, `campaign_already_active`.
        code: &'static str,
        /// What to do, in English.
        message: String,
    },
    /// Nobody, or nobody known, asks.
    #[error("log in, or send an API key")]
    Unauthorized,
    /// The log-in was refused; alike for an unknown name and a wrong password.
    #[error("the e-mail or the password is wrong")]
    BadCredentials,
    /// The password fits, and a code of the second factor is missing.
    #[error("give a code of your authenticator too")]
    CodeNeeded,
    /// The code of the second factor is wrong, or has been used.
    #[error("the code is wrong, or has been used")]
    BadCode,
    /// It takes a second factor, which whoever asks has not set up.
    #[error("this account asks for a second factor: set it up first")]
    FactorNeeded,
    /// It takes a fresh proof of who asks.
    #[error("prove again who you are, and then repeat it")]
    ProofNeeded,
    /// Whoever asks may not.
    #[error("this needs the permission {0}")]
    Forbidden(&'static str),
    /// Whoever asks may, but not of this one: it is not theirs, or not their team's.
    #[error("your permission {0} does not reach so far")]
    OutOfScope(&'static str),
    /// An operator of the platform who acts in somebody's place may not.
    #[error("this is closed to an operator who acts in somebody's place")]
    Impersonated,
    /// The tenant's plan allows no more of it.
    #[error("the plan allows no more {0}")]
    PlanLimit(&'static str),
    /// The tenant may not send or change anything for now.
    #[error("the tenant is suspended")]
    Suspended,
    /// Too much was asked.
    #[error("too many requests; try again in {} s", .retry_after.as_secs())]
    Limited {
        /// When to try again.
        retry_after: Duration,
    },
    /// A key has asked for as much as it may.
    #[error("this key has made as many requests as it may; try again in {} s", .retry_after.as_secs())]
    RateLimited {
        /// When to try again.
        retry_after: Duration,
    },
    /// As much is queued as the tenant may have.
    #[error("as much is queued as may be; try again in {} s", .retry_after.as_secs())]
    QuotaExceeded {
        /// When to try again.
        retry_after: Duration,
    },
    /// Larger than allowed.
    #[error("{0}")]
    TooLarge(String),
    /// Something we stand on does not answer; trying again helps.
    #[error("a service does not answer for the moment")]
    Unavailable,
    /// A fault of ours.
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

impl Error {
    /// A field that can't be taken.
    pub fn invalid(field: impl Into<Cow<'static, str>>, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), code, message: message.into() }
    }
    /// A state that does not allow it.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into() }
    }
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Invalid { code, .. } | Self::Conflict { code, .. } => code,
            Self::Unauthorized => "unauthorized",
            Self::BadCredentials => "bad_credentials",
            Self::CodeNeeded => "code_needed",
            Self::BadCode => "code_wrong",
            Self::FactorNeeded => "second_factor_needed",
            Self::ProofNeeded => "proof_needed",
            Self::Forbidden(_) => "forbidden",
            Self::OutOfScope(_) => "out_of_scope",
            Self::Impersonated => "impersonated",
            Self::PlanLimit(_) => "plan_limit_reached",
            Self::Suspended => "tenant_suspended",
            Self::Limited { .. } => "limited",
            Self::RateLimited { .. } => "rate_limited",
            Self::QuotaExceeded { .. } => "quota_exceeded",
            Self::TooLarge(_) => "too_large",
            Self::Unavailable => "unavailable",
            Self::Internal(_) => "internal",
        }
    }
}

/// What the plan allows no more of, where that is why the statement was refused (`crm.keep_to_plan`).
fn plan_limit(error: &sqlx::Error) -> Option<&'static str> {
    match db::constraint::violated(error)? {
        "plan_users" => Some("users"),
        "plan_lines" => Some("lines"),
        "plan_contacts" => Some("contacts"),
        _ => None,
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::RowNotFound) {
            Self::NotFound
        } else if let Some(measure) = plan_limit(&error) {
            Self::PlanLimit(measure)
        } else if db::constraint::is_transient(&error) {
            tracing::warn!(%error, "the database did not answer");
            Self::Unavailable
        } else {
            Self::Internal(error.into())
        }
    }
}
impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        match error {
            db::Error::NoTenant => Self::NotFound,
            db::Error::Sqlx(error) => error.into(),
            other => Self::Internal(other.into()),
        }
    }
}
impl From<jobs::EnqueueError> for Error {
    fn from(error: jobs::EnqueueError) -> Self {
        match error {
            jobs::EnqueueError::LaneCancelled => Self::conflict("lane_cancelled", "this work was cancelled"),
            jobs::EnqueueError::QuotaExceeded { retry_after } => Self::QuotaExceeded { retry_after },
            jobs::EnqueueError::BatchClosed => {
                Self::conflict("batch_closed", "the batch has completed and takes no more jobs")
            }
            jobs::EnqueueError::LaneOfOthers => Self::conflict("lane_of_others", error.to_string()),
            jobs::EnqueueError::Payload(message) => Self::invalid("payload", "payload_refused", message),
            jobs::EnqueueError::Sqlx(error) => error.into(),
        }
    }
}
impl From<jobs::admin::Refused> for Error {
    fn from(error: jobs::admin::Refused) -> Self {
        use jobs::admin::Refused;
        let message = error.to_string();
        match error {
            Refused::NotFound => Self::NotFound,
            Refused::JobRunning => Self::conflict("job_running", message),
            Refused::JobNotFailed => Self::conflict("job_not_failed", message),
            Refused::JobEnded => Self::conflict("job_ended", message),
            Refused::JobKeyHeld => Self::conflict("job_key_held", message),
            Refused::LaneCancelled => Self::conflict("lane_cancelled", message),
            Refused::BatchCancelled => Self::conflict("batch_cancelled", message),
            Refused::BatchCompleted => Self::conflict("batch_completed", message),
            Refused::BatchWithoutFailures => Self::conflict("batch_without_failures", message),
            Refused::Reason => Self::invalid("reason", "reason_length", message),
            Refused::Limit { field, .. } => Self::invalid(field, "limit_refused", message),
            Refused::Sqlx(error) => error.into(),
        }
    }
}
impl From<jobs::schedule::ScheduleError> for Error {
    fn from(error: jobs::schedule::ScheduleError) -> Self {
        use jobs::schedule::ScheduleError;
        match error {
            ScheduleError::Calendar(error) => Self::conflict("schedule_without_times", error.to_string()),
            ScheduleError::Enqueue(error) => error.into(),
            ScheduleError::Refused(refused) => refused.into(),
            ScheduleError::Db(error) => error.into(),
        }
    }
}
impl From<db::BadCursor> for Error {
    fn from(error: db::BadCursor) -> Self {
        Self::invalid("cursor", "bad_cursor", error.to_string())
    }
}
/// Decides once, for all jobs, what a failure of the product means for the job that met it.
impl From<Error> for jobs::JobError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound
            | Error::Invalid { .. }
            | Error::Conflict { .. }
            | Error::Forbidden(_)
            | Error::OutOfScope(_)
            | Error::FactorNeeded
            | Error::ProofNeeded
            | Error::Impersonated
            | Error::PlanLimit(_)
            | Error::TooLarge(_) => Self::discard(error),
            Error::Limited { retry_after }
            | Error::RateLimited { retry_after }
            | Error::QuotaExceeded { retry_after } => Self::Snooze { wait: retry_after },
            Error::Suspended => Self::Snooze { wait: Duration::from_secs(3600) },
            Error::Unauthorized
            | Error::BadCredentials
            | Error::CodeNeeded
            | Error::BadCode
            | Error::Unavailable
            | Error::Internal(_) => Self::retry(error),
        }
    }
}
