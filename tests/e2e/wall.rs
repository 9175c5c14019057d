//! The tenant wall, tried from the inside: every walled table of the catalogue, every way round it that a mistake could take.

use db::{Actor, Db, Error, Options, Scope, Why};
use e2e::Database;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// Puts one row of each of two tenants into every walled table, whatever its constraints want, and a function that tries the wall as
/// whoever calls it.
const SCENE: &str = r#"
set session_replication_role = replica;
set app.actor = 'nobody';
create function public.value_of(p_type text, n int) returns text language sql as $$
  select case when p_type like '%[]' then '{}' else case p_type when 'boolean' then 'true' when 'uuid' then md5(n::text)::uuid::text when 'bytea' then '\x0' || n when 'timestamp with time zone' then '2026-01-01'
    when 'jsonb' then '{}' when 'date' then '2026-01-01' else n::text end end $$;
create view public.walled as
  select c.oid::regclass as name, a.attname as tenant, n.nspname as schema
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and not a.attisdropped
     and a.attname = case when n.nspname = 'jobs' then 'tenant_number' when c.relname = 'tenants' then 'id' else 'tenant_id' end
   where n.nspname in ('crm', 'jobs') and c.relkind in ('r', 'p') and not c.relispartition and c.relrowsecurity;
grant select on public.walled to public;
do $$
declare t record; r record; cols text; vals text; n int;
begin
  for r in select conrelid::regclass as tab, conname from pg_constraint c join pg_class k on k.oid = c.conrelid
            where c.contype in ('c', 'f') and c.coninhcount = 0 and k.relnamespace in ('crm'::regnamespace, 'jobs'::regnamespace) loop
    execute format('alter table %s drop constraint %I', r.tab, r.conname);
  end loop;
  for t in select w.* from public.walled w where w.name <> 'crm.tenants'::regclass loop
    for n in 1..2 loop
      select string_agg(quote_ident(a.attname), ', '),
             string_agg(quote_literal(case when a.attname <> t.tenant then public.value_of(format_type(a.atttypid, null), n)
               when t.schema = 'jobs' then n::text else (select x.id::text from crm.tenants x where x.number = n) end), ', ')
        into cols, vals
        from pg_attribute a where a.attrelid = t.name and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
         and (a.attname = t.tenant or a.attnotnull and not a.atthasdef);
      execute format('insert into %s (%s) overriding system value values (%s)', t.name, cols, vals);
    end loop;
  end loop;
end $$;
create function public.try_wall(p_mine text, p_theirs text, p_schema text) returns setof text language plpgsql as $$
declare t record; n bigint;
begin
  for t in select w.* from public.walled w where w.schema = p_schema order by w.name::text loop
    if has_table_privilege(t.name, 'select') then
      execute format('select count(*) from %s where %I::text is distinct from %L', t.name, t.tenant, p_mine) into n;
      if n > 0 then return next t.name || ': sees rows of another tenant'; end if;
      execute format('select count(*) from %s', t.name) into n;
      if n = 0 then return next t.name || ': does not see its own row'; end if;
    end if;
    if has_table_privilege(t.name, 'insert') then
      begin
        execute format('insert into %s (%I) values (%L)', t.name, t.tenant, p_theirs);
        return next t.name || ': inserted a row of another tenant';
      exception when insufficient_privilege then null;
        when others then return next t.name || ': not refused by the wall but by ' || sqlerrm;
      end;
    end if;
    begin
      execute format('update %s set %I = %I where %I::text = %L', t.name, t.tenant, t.tenant, t.tenant, p_theirs);
      get diagnostics n = row_count;
      if n > 0 then return next t.name || ': updated a row of another tenant'; end if;
    exception when insufficient_privilege then null;
    end;
    begin
      execute format('update %s set %I = %L', t.name, t.tenant, p_theirs);
      get diagnostics n = row_count;
      if n > 0 then return next t.name || ': gave a row away to another tenant'; end if;
    exception when insufficient_privilege then null;
    end;
    begin
      execute format('delete from %s where %I::text = %L', t.name, t.tenant, p_theirs);
      get diagnostics n = row_count;
      if n > 0 then return next t.name || ': deleted a row of another tenant'; end if;
    exception when insufficient_privilege then null;
    end;
  end loop;
end $$;
create function public.make_role(p_name text, p_attributes text, p_member_of text) returns void language plpgsql as $$
begin
  execute format('create role %I login %s', p_name, p_attributes);
  execute format('grant %s to %I', p_member_of, p_name);
end $$;
create function public.drop_role(p_name text) returns void language plpgsql as $$
begin
  execute format('drop role %I', p_name);
end $$;
"#;

async fn make_tenant(db: &Db, slug: &str) -> (Uuid, i32) {
    let mut tx = db.platform(Why::Operator).await.unwrap();
    let id = Uuid::now_v7();
    let number = sqlx::query_scalar(
        "insert into crm.tenants (id, slug, name, region, time_zone) values ($1, $2, $2, 'US', 'UTC') returning number",
    )
    .bind(id)
    .bind(slug)
    .fetch_one(tx.conn())
    .await
    .unwrap();
    tx.commit().await.unwrap();
    (id, number)
}

async fn scene() -> (Database, Db, (Uuid, i32), (Uuid, i32)) {
    let database = Database::new().await;
    let db = database.connect("wall tests", 4).await;
    let (a, b) = (make_tenant(&db, "a").await, make_tenant(&db, "b").await);
    assert_eq!((a.1, b.1), (1, 2));
    sqlx::raw_sql(SCENE).execute(&mut database.superuser().await).await.unwrap();
    (database, db, a, b)
}

#[tokio::test]
async fn a_tenant_sees_and_changes_its_own_rows_only_in_every_table() {
    let (database, db, a, b) = scene().await;
    let tables: i64 = sqlx::query_scalar("select count(*) from public.walled")
        .fetch_one(&mut database.superuser().await)
        .await
        .unwrap();
    assert!(tables > 20, "only {tables} walled tables were found");
    for (mine, theirs) in [(a, b), (b, a)] {
        for schema in ["crm", "jobs"] {
            let (own, other) = match schema {
                "crm" => (mine.0.to_string(), theirs.0.to_string()),
                _ => (mine.1.to_string(), theirs.1.to_string()),
            };
            let mut tx = db.tenant(mine.0, Actor::Operator).await.unwrap();
            let holes: Vec<String> = sqlx::query_scalar("select * from public.try_wall($1, $2, $3)")
                .bind(own)
                .bind(other)
                .bind(schema)
                .fetch_all(tx.conn())
                .await
                .unwrap();
            assert!(holes.is_empty(), "{holes:#?}");
        }
    }
    db.close();
    database.drop().await;
}

#[tokio::test]
async fn a_query_outside_a_scope_is_refused_loudly() {
    let database = Database::new().await;
    let mut login = PgConnection::connect(&database.url()).await.unwrap();
    for schema in ["crm", "jobs"] {
        let refused = match schema {
            "crm" => sqlx::query("select id from crm.tenants").execute(&mut login).await,
            _ => sqlx::query("select id from jobs.jobs").execute(&mut login).await,
        };
        assert!(refused.unwrap_err().to_string().contains(&format!("permission denied for schema {schema}")));
    }
    let owner = sqlx::query("set role paloma_owner").execute(&mut login).await;
    assert!(owner.is_err(), "the login may not become the owner");
    login.close().await.unwrap();
    database.drop().await;
}

#[tokio::test]
async fn a_scope_without_a_tenant_is_an_error_and_not_an_empty_answer() {
    let database = Database::new().await;
    let mut login = PgConnection::connect(&database.url()).await.unwrap();
    sqlx::query("set role paloma_tenant").execute(&mut login).await.unwrap();
    let error = sqlx::query("select id from crm.tenants").execute(&mut login).await.unwrap_err();
    assert!(error.to_string().contains("app.tenant_id"), "{error}");
    login.close().await.unwrap();

    let db = database.connect("wall tests", 2).await;
    assert!(matches!(db.tenant(Uuid::now_v7(), Actor::Operator).await, Err(Error::NoTenant)));
    db.close();
    database.drop().await;
}

#[tokio::test]
async fn one_pooled_connection_used_by_one_tenant_and_then_another_remembers_nothing() {
    let database = Database::new().await;
    let db = database.connect("wall tests", 1).await;
    let (a, b) = (make_tenant(&db, "a").await, make_tenant(&db, "b").await);
    for round in 0..3 {
        for tenant in [a, b] {
            let mut tx = db.tenant(tenant.0, Actor::Operator).await.unwrap();
            let seen: Vec<Uuid> = sqlx::query_scalar("select id from crm.tenants").fetch_all(tx.conn()).await.unwrap();
            assert_eq!(seen, [tenant.0]);
            if round % 2 == 0 { tx.commit().await.unwrap() } else { drop(tx) }
        }
        let mut tx = db.platform(Why::Operator).await.unwrap();
        let left: (String, Option<String>) =
            sqlx::query_as("select current_user::text, nullif(current_setting('app.tenant_id', true), '')")
                .fetch_one(tx.conn())
                .await
                .unwrap();
        assert_eq!(left, ("paloma_platform".to_owned(), None));
    }
    db.close();
    database.drop().await;
}

#[tokio::test]
async fn no_reference_crosses_tenants_not_even_for_the_platform() {
    let database = Database::new().await;
    let holes: Vec<String> = sqlx::query_scalar(
        "select c.conrelid::regclass || '.' || c.conname from pg_constraint c
          where c.contype = 'f' and c.connamespace = 'crm'::regnamespace and c.confrelid <> 'crm.tenants'::regclass
            -- the platform's own rows, its operators and plans, are of no tenant
            and not (exists (select from pg_class r where r.oid = c.confrelid and r.relnamespace = 'app'::regnamespace)
                     and not exists (select from pg_attribute a where a.attrelid = c.confrelid and a.attname = 'tenant_id'))
            and not exists (select from unnest(c.conkey, c.confkey) k(here, there)
              join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.here and a.attname = 'tenant_id'
              join pg_attribute b on b.attrelid = c.confrelid and b.attnum = k.there and b.attname = 'tenant_id')",
    )
    .fetch_all(&mut database.superuser().await)
    .await
    .unwrap();
    assert!(holes.is_empty(), "references without the tenant in their key: {holes:#?}");
    database.drop().await;
}

#[tokio::test]
async fn a_tenant_can_not_complete_or_hold_another_s_job() {
    let (database, db, a, _) = scene().await;
    let mut superuser = database.superuser().await;
    let theirs: (i64, i64, Uuid) = sqlx::query_as(
        "insert into jobs.leases (process, fence, lane_id, tenant_number, queue, leased_at, job_ids)
           select gen_random_uuid(), 7, lane_id, tenant_number, queue, app.clock(), array[id] from jobs.jobs where tenant_number = 2
         returning job_ids[1], fence, process",
    )
    .fetch_one(&mut superuser)
    .await
    .unwrap();
    let mut tx = db.tenant(a.0, Actor::Operator).await.unwrap();
    let done: (bool, bool) = sqlx::query_as("select jobs.complete($1, $2, $3), jobs.hold($1, $2, $3)")
        .bind(theirs.0)
        .bind(theirs.1)
        .bind(theirs.2)
        .fetch_one(tx.conn())
        .await
        .unwrap();
    assert_eq!(done, (false, false));
    drop(tx);
    db.close();
    database.drop().await;
}

#[tokio::test]
async fn the_boot_check_refuses_every_login_that_could_pass_the_wall() {
    let (database, db, ..) = scene().await;
    db.close();
    let mut superuser = database.superuser().await;
    let scopes = "paloma_tenant, paloma_platform";
    for (n, (attributes, member_of, word)) in [
        ("superuser noinherit", scopes, "superuser"),
        ("bypassrls noinherit", scopes, "BYPASSRLS"),
        ("inherit", scopes, "inherits"),
        ("noinherit", "paloma_owner, paloma_tenant, paloma_platform", "owns"),
        ("noinherit", "paloma_tenant", "may not enter"),
        ("noinherit", "postgres, paloma_tenant, paloma_platform", "may become a superuser"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{}_{n}", database.name);
        sqlx::query("select public.make_role($1, $2, $3)")
            .bind(&name)
            .bind(attributes)
            .bind(member_of)
            .execute(&mut superuser)
            .await
            .unwrap();
        let answer =
            Db::connect(Options { url: database.url_of(&name), name: "wall tests", connections: 1, direct_url: None })
                .await;
        let refusal = answer.err().map(|error| error.to_string()).unwrap_or_default();
        sqlx::query("select public.drop_role($1)").bind(&name).execute(&mut superuser).await.unwrap();
        assert!(refusal.contains(word), "{attributes}, {member_of}: {refusal}");
    }
    superuser.close().await.unwrap();
    database.drop().await;
}

#[tokio::test]
async fn the_boot_check_finds_a_table_without_its_wall() {
    let database = Database::new().await;
    let mut superuser = database.superuser().await;
    sqlx::raw_sql("create table crm.forgotten (tenant_id uuid, id uuid primary key)")
        .execute(&mut superuser)
        .await
        .unwrap();
    let answer =
        Db::connect(Options { url: database.url(), name: "wall tests", connections: 1, direct_url: None }).await;
    let Err(Error::Unsafe(faults)) = answer else { panic!("it was not refused") };
    for fault in ["no forced row-level security", "no policy for paloma_tenant", "does not start with the tenant"] {
        assert!(faults.iter().any(|found| found.contains("crm.forgotten") || found.contains(fault)), "{faults:#?}");
    }
    assert_eq!(faults.len(), 4, "{faults:#?}");
    superuser.close().await.unwrap();
    database.drop().await;
}

#[tokio::test]
async fn a_policy_with_a_hole_would_be_found() {
    let (database, db, a, b) = scene().await;
    let mut superuser = database.superuser().await;
    sqlx::raw_sql("alter policy tenant on crm.contacts using (true) with check (true)")
        .execute(&mut superuser)
        .await
        .unwrap();
    let mut tx = db.tenant(a.0, Actor::Operator).await.unwrap();
    let holes: Vec<String> = sqlx::query_scalar("select * from public.try_wall($1, $2, 'crm')")
        .bind(a.0.to_string())
        .bind(b.0.to_string())
        .fetch_all(tx.conn())
        .await
        .unwrap();
    assert!(!holes.is_empty() && holes.iter().all(|hole| hole.starts_with("crm.contacts: ")), "{holes:#?}");
    drop(tx);
    db.close();
    superuser.close().await.unwrap();
    database.drop().await;
}
