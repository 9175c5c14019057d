//! A change of settings: some keys are set, some are unset, all others stay, in one commit. Of two writers who have read the same, one is told of the other.

use std::collections::BTreeMap;

use db::{Id, Scope, TenantTx};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    key::{Initial, Key},
    kind::{Guards, Taken},
    resolve::{Level, Settings, resolve},
};
use crate::{App, Error};

/// What the sealed secrets are for.
pub(crate) const SECRET: &str = "setting.secret";

/// What is to become of settings. A key that is named nowhere stays as it is. It may hold secrets, so it is not to be logged.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SettingsChange)]
pub struct Change {
    /// Keys with the values that they are given: null is none, on purpose, and an empty text or list is a value where the kind has one.
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
    /// Keys that are to be as if nobody had ever set them here, so that they inherit.
    #[serde(default)]
    pub unset: Vec<String>,
    /// The version that was read: where there is another one by now nothing is changed, and the answer is 409 `settings_changed`. Without it what others
    /// have done to these keys is replaced.
    pub version: Option<i64>,
}

/// A change that has been read.
#[derive(Default)]
struct Wanted {
    open: BTreeMap<Key, Value>,
    sealed: BTreeMap<Key, Vec<u8>>,
    unset: Vec<Key>,
    /// What stands in the tenant's own row.
    region: Option<String>,
    time_zone: Option<String>,
}

impl Change {
    /// Whether it touches a secret, or an address to which one may be sent.
    #[must_use]
    pub fn is_delicate(&self) -> bool {
        let named = self.set.keys().chain(&self.unset);
        named.filter_map(|name| name.parse::<Key>().ok()).any(|key| key.spec().kind.is_delicate())
    }
}

/// Changes what a tenant or an organization sets, and answers what holds then.
pub async fn change(app: &App, tx: &mut TenantTx, level: Level, change: &Change) -> Result<Settings, Error> {
    let wanted = read(app, level, change)?;
    // others who change the same level wait here
    let is_current = match level {
        Level::Tenant => step_tenant(tx, change.version, &wanted).await?,
        Level::Organization(_) => step_organization(tx, level, change.version).await?,
    };
    if !is_current {
        // an organization that is not there has none
        resolve(tx, level).await?;
        return Err(Error::conflict("settings_changed", "these settings have been changed since; read them first"));
    }
    unset(tx, level, &wanted.unset).await?;
    set(tx, level, wanted).await?;
    resolve(tx, level).await
}

fn read(app: &App, level: Level, change: &Change) -> Result<Wanted, Error> {
    let mut wanted = Wanted::default();
    for name in &change.unset {
        let key = known(name, "unset")?;
        if change.set.contains_key(name) {
            return Err(Error::invalid("unset", "setting_twice", format!("{key} is set and unset at once")));
        }
        if level == Level::Tenant && key.spec().initial == Initial::Tenants {
            return Err(Error::invalid("unset", "setting_needed", format!("an account always has {key}")));
        }
        wanted.unset.push(key);
    }
    for (name, value) in &change.set {
        let key = known(name, "set")?;
        match (key.take(value, Guards::of(app))?, level) {
            (Taken::Secret(secret), _) => {
                wanted.sealed.insert(key, app.keys.seal(SECRET, &secret)?);
            }
            (Taken::Open(value), Level::Tenant) if key.spec().initial == Initial::Tenants => {
                let place = if key == Key::LocaleRegion { &mut wanted.region } else { &mut wanted.time_zone };
                *place = value.as_str().map(str::to_owned);
            }
            (Taken::Open(value), _) => {
                wanted.open.insert(key, value);
            }
        }
    }
    Ok(wanted)
}

fn known(name: &str, field: &'static str) -> Result<Key, Error> {
    name.parse().map_err(|_| Error::invalid(field, "setting_unknown", format!("there is no setting {name:?}")))
}

async fn step_tenant(tx: &mut TenantTx, version: Option<i64>, wanted: &Wanted) -> Result<bool, Error> {
    let stepped = sqlx::query(
        "update crm.tenants t set settings_version = t.settings_version + 1, region = coalesce($2, t.region), time_zone = coalesce($3, t.time_zone)
          where t.id = app.tenant_id() and t.settings_version = coalesce($1, t.settings_version)",
    )
    .bind(version)
    .bind(&wanted.region)
    .bind(&wanted.time_zone)
    .execute(tx.conn())
    .await?;
    Ok(stepped.rows_affected() == 1)
}

async fn step_organization(tx: &mut TenantTx, level: Level, version: Option<i64>) -> Result<bool, Error> {
    let stepped = sqlx::query(
        "update crm.organizations o set settings_version = o.settings_version + 1
          where o.tenant_id = app.tenant_id() and o.id = $2 and o.settings_version = coalesce($1, o.settings_version)",
    )
    .bind(version)
    .bind(level.organization())
    .execute(tx.conn())
    .await?;
    Ok(stepped.rows_affected() == 1)
}

async fn unset(tx: &mut TenantTx, level: Level, keys: &[Key]) -> Result<(), Error> {
    sqlx::query(
        "delete from crm.settings s
          where s.tenant_id = app.tenant_id() and s.organization_id is not distinct from $1 and s.key = any($2)",
    )
    .bind(level.organization())
    .bind(keys.iter().map(|key| key.name()).collect::<Vec<_>>())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What is as it was is left alone, so that the audit tells of changes only; of a secret nobody can tell.
async fn set(tx: &mut TenantTx, level: Level, wanted: Wanted) -> Result<(), Error> {
    let Wanted { open, sealed, .. } = wanted;
    let rows = open.into_iter().map(|(key, value)| (key, Some(value), None));
    let rows = rows.chain(sealed.into_iter().map(|(key, secret)| (key, None, Some(secret))));
    let (mut ids, mut keys, mut values, mut secrets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (key, value, secret) in rows {
        ids.push(Id::<Key>::new().uuid());
        keys.push(key.name());
        values.push(value);
        secrets.push(secret);
    }
    sqlx::query(
        "insert into crm.settings as s (id, organization_id, key, value, secret)
           select u.id, $1, u.key, u.value, u.secret from unnest($2::uuid[], $3::text[], $4::jsonb[], $5::bytea[]) u(id, key, value, secret)
         on conflict on constraint settings_key do update set value = excluded.value, secret = excluded.secret, set_at = app.now()
          where s.value is distinct from excluded.value or excluded.secret is not null",
    )
    .bind(level.organization())
    .bind(ids)
    .bind(keys)
    .bind(values)
    .bind(secrets)
    .execute(tx.conn())
    .await?;
    Ok(())
}
