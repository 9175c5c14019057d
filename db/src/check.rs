//! The boot self-check: the login can't pass the wall, the wall stands around every table, the schema fits these binaries.

use sqlx::PgConnection;

use crate::{Db, Error, migrate};

/// Everything that makes this database unsafe to use; empty when nothing does.
pub async fn report(db: &Db) -> Result<Vec<String>, Error> {
    // one transaction, so that a pooler keeps to one server
    let mut conn = db.inner.pool.begin("begin").await?;
    let mut faults = login(&mut conn).await?;
    let schema = migrate::faults(&mut conn).await?;
    if schema.is_empty() {
        faults.extend(wall(&mut conn).await?);
    }
    faults.extend(schema);
    Ok(faults)
}

#[derive(sqlx::FromRow)]
struct Login {
    name: String,
    is_superuser: bool,
    bypasses: bool,
    inherits: bool,
    owns: bool,
    may_escape: bool,
    may_tenant: bool,
    may_scoped: bool,
    may_platform: bool,
}

async fn login(conn: &mut PgConnection) -> Result<Vec<String>, Error> {
    let login: Login = sqlx::query_as(
        "select r.rolname::text as name, r.rolsuper as is_superuser, r.rolbypassrls as bypasses,
           exists (select from unnest(array['paloma_tenant', 'paloma_scoped', 'paloma_platform', 'paloma_owner']) as other(name)
                    join pg_roles o on o.rolname = other.name
                   where o.oid <> r.oid and pg_has_role(r.oid, o.oid, 'usage')) as inherits,
           exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
                   where n.nspname in ('app', 'crm', 'jobs') and pg_has_role(r.oid, c.relowner, 'member')) as owns,
           -- a superuser may become whoever there is: that is said of it already
           not r.rolsuper and exists (select from pg_roles o where o.oid <> r.oid and (o.rolsuper or o.rolbypassrls)
                   and pg_has_role(r.oid, o.oid, 'member')) as may_escape,
           coalesce((select pg_has_role(r.oid, o.oid, 'member') from pg_roles o where o.rolname = 'paloma_tenant'), false) as may_tenant,
           coalesce((select pg_has_role(r.oid, o.oid, 'member') from pg_roles o where o.rolname = 'paloma_scoped'), false) as may_scoped,
           coalesce((select pg_has_role(r.oid, o.oid, 'member') from pg_roles o where o.rolname = 'paloma_platform'), false) as may_platform
         from pg_roles r where r.rolname = session_user",
    )
    .fetch_one(conn)
    .await?;
    let name = &login.name;
    let mut faults = Vec::new();
    if login.is_superuser {
        faults.push(format!("the login role {name} is a superuser: row-level security would not bind it"));
    }
    if login.bypasses {
        faults.push(format!("the login role {name} has BYPASSRLS"));
    }
    if login.inherits {
        faults.push(format!("the login role {name} inherits a scope's rights: alter role {name} noinherit"));
    }
    if login.owns {
        faults.push(format!("the login role {name} owns tables of the schema, or may act as their owner"));
    }
    if login.may_escape {
        faults.push(format!("the login role {name} may become a superuser, or a role with BYPASSRLS"));
    }
    if !(login.may_tenant && login.may_scoped && login.may_platform) {
        faults.push(format!(
            "the login role {name} may not enter the scopes: grant paloma_tenant, paloma_scoped, paloma_platform to {name}"
        ));
    }
    Ok(faults)
}

/// Tables whose wall has a hole: not forced, without a policy for either scope, or with a key or unique index not starting at the tenant.
async fn wall(conn: &mut PgConnection) -> Result<Vec<String>, Error> {
    Ok(sqlx::query_scalar(
        "with walled as (
           select c.oid, c.relrowsecurity and c.relforcerowsecurity as is_forced, n.nspname || '.' || c.relname as name, n.nspname as schema, a.attnum
           from pg_class c
           join pg_namespace n on n.oid = c.relnamespace
           left join pg_attribute a on a.attrelid = c.oid and a.attname in ('tenant_id', 'tenant_number') and not a.attisdropped
           where c.relkind in ('r', 'p') and not c.relispartition
             and (n.nspname = 'crm' and c.relname <> 'tenants' or n.nspname = 'jobs' and a.attnum is not null and c.relname <> 'turns'))
         select name || ' has no tenant column' from walled where attnum is null
         union all
         select name || ' has no forced row-level security' from walled where not is_forced
         union all
         select w.name || ' has no policy for ' || r.role from walled w
           cross join unnest(array['paloma_tenant', 'paloma_platform']) as r(role)
          where not exists (select from pg_policy p join pg_roles o on o.oid = any(p.polroles) where p.polrelid = w.oid and o.rolname = r.role)
         union all
         select w.name || ': the unique index ' || i.indexrelid::regclass::text || ' does not start with the tenant' from walled w
           join pg_index i on i.indrelid = w.oid and i.indisunique
          where w.schema = 'crm' and i.indkey[0] <> w.attnum",
    )
    .fetch_all(conn)
    .await?)
}
