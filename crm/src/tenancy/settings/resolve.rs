//! What holds for a tenant or an organization, and where each value comes from. Secrets stay sealed: of one is only said that it is there.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use db::{Scope, TenantTx};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    key::{Initial, Key},
    kind::Kind,
};
use crate::{
    Error,
    tenancy::organizations::{self, OrganizationId},
};

/// Whose settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The tenant's, which hold for its organizations too.
    Tenant,
    /// An organization's own.
    Organization(OrganizationId),
}

impl Level {
    pub(super) const fn organization(self) -> Option<OrganizationId> {
        match self {
            Self::Tenant => None,
            Self::Organization(id) => Some(id),
        }
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SettingSource)]
pub enum Source {
    /// The organization has set it.
    Organization,
    /// The tenant has set it.
    Tenant,
    /// Nobody has: it is so from the start.
    Default,
}

/// All settings of a tenant or of an organization.
#[derive(Debug, Serialize, ToSchema)]
pub struct Settings {
    /// Grows with each change of what is set here: whoever sends it along learns of a change that they have not seen.
    pub version: i64,
    /// One for each key there is.
    pub items: Vec<Setting>,
}

/// A setting, and what holds of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Setting {
    /// Its name.
    pub key: Key,
    /// What its values are.
    pub kind: Kind,
    /// Whether null is a value: none, on purpose.
    pub is_nullable: bool,
    /// Whether an empty text or list is one.
    pub may_be_empty: bool,
    /// Whether something in the product does as it says; else it is only kept.
    pub is_heeded: bool,
    /// What holds.
    pub holds: Held,
    /// What would hold if it were unset here; none where nothing is set here, or where it can't be unset.
    pub inherited: Option<Held>,
}

/// A value, and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = SettingHeld)]
pub struct Held {
    /// The value, in the form of its kind; null is none, on purpose or from the start. Of a secret always null.
    pub value: Value,
    /// Where it comes from.
    pub source: Source,
    /// Whether there is one: for a secret, whether one is kept.
    pub is_some: bool,
    /// Since when, where somebody has set it.
    pub set_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct Row {
    is_of_tenant: bool,
    key: String,
    /// None: a secret.
    value: Option<Value>,
    set_at: DateTime<Utc>,
}

/// What each level has set of each key.
type Layers = HashMap<(Source, Key), Held>;

/// Every setting with what holds of it.
pub async fn resolve(tx: &mut TenantTx, level: Level) -> Result<Settings, Error> {
    // before the values, so that a change that comes between is never taken for seen
    let (region, time_zone, of_tenant): (String, String, i64) = sqlx::query_as(
        "select t.region, t.time_zone, t.settings_version from crm.tenants t where t.id = app.tenant_id()",
    )
    .fetch_one(tx.conn())
    .await?;
    let version = match level {
        Level::Tenant => of_tenant,
        Level::Organization(id) => version_of(tx, id).await?,
    };
    let rows: Vec<Row> = sqlx::query_as(
        "select s.organization_id is null as is_of_tenant, s.key, s.value, s.set_at from crm.settings s
          where s.tenant_id = app.tenant_id() and (s.organization_id is null or s.organization_id = $1)",
    )
    .bind(level.organization())
    .fetch_all(tx.conn())
    .await?;
    let mut layers: Layers = rows.into_iter().filter_map(Row::layer).collect();
    for (key, value) in [(Key::LocaleRegion, region), (Key::LocaleTimeZone, time_zone)] {
        let held = Held { value: value.into(), source: Source::Tenant, is_some: true, set_at: None };
        layers.insert((Source::Tenant, key), held);
    }
    Ok(Settings { version, items: Key::ALL.iter().map(|key| setting(level, *key, &layers)).collect() })
}

async fn version_of(tx: &mut TenantTx, id: OrganizationId) -> Result<i64, Error> {
    Ok(sqlx::query_scalar(
        "select o.settings_version from crm.organizations o where o.tenant_id = app.tenant_id() and o.id = $1",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?)
}

impl Row {
    /// One that a newer version knows and this one does not is passed over.
    fn layer(self) -> Option<((Source, Key), Held)> {
        let source = if self.is_of_tenant { Source::Tenant } else { Source::Organization };
        let is_some = self.value.as_ref().is_none_or(|value| !value.is_null());
        let held = Held { value: self.value.unwrap_or(Value::Null), source, is_some, set_at: Some(self.set_at) };
        Some(((source, self.key.parse().ok()?), held))
    }
}

/// The first level that has set it wins; what stands behind it is what would hold without.
fn setting(level: Level, key: Key, layers: &Layers) -> Setting {
    let spec = key.spec();
    let (own, order): (Source, &[Source]) = match level {
        Level::Tenant => (Source::Tenant, &[Source::Tenant]),
        Level::Organization(_) => (Source::Organization, &[Source::Organization, Source::Tenant]),
    };
    let mut held = order.iter().filter_map(|source| layers.get(&(*source, key)).cloned()).chain(at_first(spec.initial));
    let holds =
        held.next().unwrap_or(Held { value: Value::Null, source: Source::Default, is_some: false, set_at: None });
    let inherited = if holds.source == own { held.next() } else { None };
    Setting {
        key,
        kind: spec.kind,
        is_nullable: spec.is_nullable(),
        may_be_empty: spec.kind.may_be_empty(),
        is_heeded: spec.is_heeded,
        holds,
        inherited,
    }
}

fn at_first(initial: Initial) -> Option<Held> {
    let value = initial.value()?;
    Some(Held { is_some: !value.is_null(), value, source: Source::Default, set_at: None })
}

/// What the organization of a line has set of a key whose values are texts; none: nothing, or the line is of none.
pub(crate) async fn of_line(tx: &mut TenantTx, key: Key, line_id: Uuid) -> Result<Option<String>, Error> {
    let set: Option<Option<String>> = sqlx::query_scalar(
        "select s.value #>> '{}' from crm.lines l
           join crm.settings s on s.tenant_id = l.tenant_id and s.organization_id = l.organization_id and s.key = $2
          where l.tenant_id = app.tenant_id() and l.id = $1",
    )
    .bind(line_id)
    .bind(key.name())
    .fetch_optional(tx.conn())
    .await?;
    Ok(set.flatten())
}

/// What an organization has set of such a key.
pub(crate) async fn of_organization(tx: &mut TenantTx, key: Key, id: OrganizationId) -> Result<Option<String>, Error> {
    let set: Option<Option<String>> = sqlx::query_scalar(
        "select s.value #>> '{}' from crm.organizations o
           left join crm.settings s on s.tenant_id = o.tenant_id and s.organization_id = o.id and s.key = $2
          where o.tenant_id = app.tenant_id() and o.id = $1",
    )
    .bind(id)
    .bind(key.name())
    .fetch_optional(tx.conn())
    .await?;
    set.ok_or_else(organizations::unknown)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn held(source: Source, value: Value) -> ((Source, Key), Held) {
        let is_some = !value.is_null();
        ((source, Key::BrandName), Held { value, source, is_some, set_at: None })
    }

    /// What holds, from where, and what would hold without.
    fn resolved(level: Level, layers: &[((Source, Key), Held)]) -> (Value, Source, Option<(Value, Source)>) {
        let layers = layers.iter().cloned().collect();
        let Setting { holds, inherited, .. } = setting(level, Key::BrandName, &layers);
        (holds.value, holds.source, inherited.map(|held| (held.value, held.source)))
    }

    #[test]
    fn unset_empty_and_null_are_three_things_over_all_layers() {
        use Source::{Default, Organization, Tenant};
        let own = Level::Organization(OrganizationId::new());
        let name = || held(Tenant, json!("Acme"));
        assert_eq!(resolved(own, &[]), (Value::Null, Default, None));
        assert_eq!(resolved(own, &[name()]), (json!("Acme"), Tenant, None));
        for value in [json!(""), Value::Null, json!("North")] {
            let behind = Some((json!("Acme"), Tenant));
            assert_eq!(
                resolved(own, &[name(), held(Organization, value.clone())]),
                (value.clone(), Organization, behind)
            );
            let behind = Some((Value::Null, Default));
            assert_eq!(
                resolved(own, &[held(Organization, value.clone())]),
                (value.clone(), Organization, behind.clone())
            );
            assert_eq!(resolved(own, &[held(Tenant, value.clone())]), (value.clone(), Tenant, None));
            assert_eq!(resolved(Level::Tenant, &[held(Tenant, value.clone())]), (value, Tenant, behind));
        }
        // what an organization sets is none of its tenant's
        assert_eq!(resolved(Level::Tenant, &[held(Organization, json!("North"))]), (Value::Null, Default, None));
    }

    #[test]
    fn what_a_tenant_always_has_can_not_be_unset_there() {
        let zone = |source, name: &str| {
            ((source, Key::LocaleTimeZone), Held { value: name.into(), source, is_some: true, set_at: None })
        };
        let layers = [zone(Source::Tenant, "UTC"), zone(Source::Organization, "Europe/Madrid")].into_iter().collect();
        assert_eq!(setting(Level::Tenant, Key::LocaleTimeZone, &layers).inherited, None);
        let own = setting(Level::Organization(OrganizationId::new()), Key::LocaleTimeZone, &layers);
        assert_eq!((own.holds.value, own.inherited.unwrap().value), (json!("Europe/Madrid"), json!("UTC")));
    }
}
