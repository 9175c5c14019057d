//! Constraint names are part of the contract: a violated one becomes a domain error at the query that met it.

use sqlx::postgres::PgDatabaseError;

/// The name of the constraint that refused the statement, if that is what went wrong.
#[must_use]
pub fn violated(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::constraint)
}

/// Whether the statement met or would have left a row that the transaction does not see: row-level security refused it. A right that a role lacks has the
/// same code, and is a fault of ours. The server says which it is by the routine too, and that in one language.
#[must_use]
pub fn is_out_of_sight(error: &sqlx::Error) -> bool {
    let refused = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    refused.is_some_and(|error| error.code() == "42501" && error.routine() == Some("ExecWithCheckOptions"))
}

/// Whether the statement failed for a reason that may pass by itself: a lost connection, a restart, a serialisation failure, a deadlock.
#[must_use]
pub fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(database) => database.code().is_some_and(|code| {
            // 08 connection, 40 rollback, 53 resources, 57P admin shutdown and recovery, 25006 read-only standby
            code.starts_with("08")
                || code.starts_with("40")
                || code.starts_with("53")
                || code.starts_with("57P")
                || code == "25006"
        }),
        _ => false,
    }
}
