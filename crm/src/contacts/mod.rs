//! Contacts of a tenant: who can be written to, whom nobody may write to, and how they got here.

pub mod bulk;
pub mod contact;
mod export;
pub mod filter;
pub mod household;
pub mod import;
pub mod labels;
pub mod merge;
pub mod suppressions;

use db::TenantTx;

use crate::{
    Error,
    phone::{Region, RegionError},
    tenancy::tenants,
};

/// The country of the tenant's numbers that have no country code.
pub(crate) async fn home_region(tx: &mut TenantTx) -> Result<Region, Error> {
    let region = tenants::own(tx).await?.region;
    region.parse().map_err(|error: RegionError| Error::Internal(error.into()))
}
