//! The bytes of erased files, looked for once more.

use std::time::Duration;

use db::TenantTx;
use jobs::{Cx, Done, Enqueue, Job, JobResult, Queue, Retry, Tenant};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{App, Error, messaging::media::store, queue};

/// Longer than any job that writes a file may take.
const WRITTEN_BY_THEN: Duration = Duration::from_secs(1800);

/// Removes the bytes of erased files once more, when nobody can still be writing them: a file may have been on its way from a gateway, or a small
/// picture of it have been made.
#[derive(Debug, Serialize, Deserialize)]
pub struct SweepFiles {
    /// The files.
    pub ids: Vec<Uuid>,
}

impl SweepFiles {
    pub(super) async fn enqueue(tx: &mut TenantTx, ids: Vec<Uuid>) -> Result<(), Error> {
        if !ids.is_empty() {
            Enqueue::<App, Self>::new().wait(WRITTEN_BY_THEN).one(tx, &Self { ids }).await?;
        }
        Ok(())
    }
}

impl Job<App> for SweepFiles {
    type Scope = Tenant;
    const KIND: &'static str = "privacy.sweep_files";
    const QUEUE: Queue = queue::DEFAULT;
    const QUOTA_EXEMPT: bool = true;
    const RETRY: Retry = Retry::exponential(20).from_secs(10).up_to_secs(3600);
    const TIMEOUT: Duration = Duration::from_secs(600);

    async fn run(self, cx: Cx<App, Tenant>) -> JobResult {
        let tenant_id = cx.tx().await?.tenant_id();
        for id in self.ids {
            cx.app.blobs.remove(tenant_id, id).await.map_err(store::later)?;
        }
        Ok(Done::Now)
    }
}
