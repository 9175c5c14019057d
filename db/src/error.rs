//! What can go wrong at the wall.

/// An error of the database or of the wall around it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The scope names a tenant that does not exist.
    #[error("there is no such tenant")]
    NoTenant,
    /// The boot self-check found something; every fault is listed.
    #[error("this database may not be used as it is:\n{}", .0.join("\n"))]
    Unsafe(Vec<String>),
    /// The schema is not the one these binaries were built with.
    #[error("{0}")]
    Schema(String),
    /// The database refused or could not be reached.
    #[error(transparent)]
    Sqlx(#[from] sqlx::Error),
    /// The database did not answer in time; what was asked of it may have happened.
    #[error("the database gave no answer within {} s", .0.as_secs_f64())]
    NoAnswer(std::time::Duration),
    /// A migration did not apply.
    #[error("a migration did not apply: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}
