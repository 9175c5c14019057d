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
use uuid::Uuid;

use crate::{
    Error,
    phone::{Region, RegionError},
    tenancy::{
        organizations::OrganizationId,
        settings::{self, Key},
        tenants,
    },
};

/// The country of the tenant's numbers that have no country code.
pub(crate) async fn home_region(tx: &mut TenantTx) -> Result<Region, Error> {
    stored_region(&tenants::own(tx).await?.region)
}

/// The same for what goes out by a line: the country of the line's organization, where that has set one.
pub(crate) async fn region_of_line(tx: &mut TenantTx, line_id: Uuid) -> Result<Region, Error> {
    match settings::of_line(tx, Key::LocaleRegion, line_id).await? {
        Some(region) => stored_region(&region),
        None => home_region(tx).await,
    }
}

/// The same for what comes in for an organization.
pub(crate) async fn region_of_organization(tx: &mut TenantTx, id: OrganizationId) -> Result<Region, Error> {
    match settings::of_organization(tx, Key::LocaleRegion, id).await? {
        Some(region) => stored_region(&region),
        None => home_region(tx).await,
    }
}

/// A region that was checked before it was stored.
pub(crate) fn stored_region(region: &str) -> Result<Region, Error> {
    region.parse().map_err(|error: RegionError| Error::Internal(error.into()))
}
