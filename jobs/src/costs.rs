//! What tenants cost the queue, kept: history is rolled up into hours, and hours go after a year.

use sqlx::PgConnection;

/// Days that an hour is kept: the same month of last year can be looked at.
const KEEP_DAYS: i32 = 400;

/// Rolls up what has ended, and forgets what is old.
pub(crate) async fn keep(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    // an hour at a time, in a commit each, so that what nobody rolled up for days is no one long transaction
    while sqlx::query_scalar("select jobs.roll_up_costs()").fetch_one(&mut *conn).await? {}
    sqlx::query("select jobs.prune_costs($1, 5000)").bind(KEEP_DAYS).execute(conn).await?;
    Ok(())
}
