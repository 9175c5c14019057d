//! The indexes of tables that are filled while nobody else uses them: put away before, built again after, all in the transaction of the rows,
//! so that none is ever missing. Keys stay: their ids come in order.

use anyhow::Result;
use sqlx::PgConnection;

/// Puts away what is no constraint, and remembers it.
pub async fn put_away(owner: &mut PgConnection) -> Result<()> {
    sqlx::raw_sql(
        "create temp table put_away on commit drop as
           select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition, i.indrelid::regclass::text as of
             from pg_index i join pg_class t on t.oid = i.indrelid
            where t.oid in ('crm.messages'::regclass, 'crm.conversations'::regclass, 'crm.contacts'::regclass, 'crm.conversation_labels'::regclass,
                            'crm.reads'::regclass, 'crm.unreads'::regclass, 'crm.notes'::regclass)
              and not exists (select from pg_constraint c where c.conindid = i.indexrelid);
         do $$
         declare
           v_name text;
         begin
           for v_name in select p.name from put_away p loop
             execute 'drop index ' || v_name;
           end loop;
         end $$",
    )
    .execute(owner)
    .await?;
    Ok(())
}

/// Builds one again and answers its name; none: all are there.
pub async fn build_next(owner: &mut PgConnection) -> Result<Option<String>> {
    let next = sqlx::query_scalar("select p.name from put_away p order by p.of, p.name limit 1");
    let next: Option<String> = next.fetch_optional(&mut *owner).await?;
    if next.is_some() {
        sqlx::raw_sql(
            "do $$
             declare
               v_next record;
             begin
               select p.name, p.definition into v_next from put_away p order by p.of, p.name limit 1;
               execute v_next.definition;
               delete from put_away p where p.name = v_next.name;
             end $$",
        )
        .execute(owner)
        .await?;
    }
    Ok(next)
}
