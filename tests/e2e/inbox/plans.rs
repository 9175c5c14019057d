//! What a page of each list reads with a hundred thousand conversations: by what it shows and not by what there is. Counted as the rows that
//! the session's statistics say were read, of tables and by indexes, also those that turned out not to be wanted.

use std::sync::Arc;

use crm::{
    access::users::UserId,
    inbox::{
        conversations::{self, Assignee, Filter, Service, State},
        counts,
    },
};
use db::{Actor, Narrow, PageOf, Scope, TenantTx};
use e2e::World;
use serde_json::json;
use uuid::Uuid;

/// A hundred thousand conversations with three messages each: most are closed, a few are pinned, snoozed, of a small line, somebody's,
/// labelled or unread; what is rare is old. The triggers' work is done here in bulk.
const FILL: &str = "
set session_replication_role = replica;
set app.actor = 'nobody';
create temp table scene as select t.id as tenant_id, l.id as line_id, (select s.id from crm.lines s where s.tenant_id = t.id and s.id <> l.id) as small_id,
    (select u.id from crm.users u where u.tenant_id = t.id and u.role = 'owner') as user_id, (select b.id from crm.labels b where b.tenant_id = t.id and b.name = 'Rare') as rare_id,
    (select b.id from crm.labels b where b.tenant_id = t.id and b.name = 'Common') as common_id
  from crm.tenants t join crm.lines l on l.tenant_id = t.id and l.name = 'Line';
insert into crm.conversations (tenant_id, id, line_id, address, service, state, last_message_at, assignee_id, is_pinned, snoozed_until, is_labelled)
  select s.tenant_id, md5('c' || n)::uuid, case when n % 2000 = 0 then s.small_id else s.line_id end, '+1305' || (5000000 + n),
         case when n % 1000 = 1 then 'rcs' when n % 3 = 0 then 'sms' else 'imessage' end,
         case when n % 10 = 0 then 'active' when n % 100 = 1 then 'archived' else 'closed' end, timestamptz '2026-01-01' + n * interval '1 minute',
         case when n % 500 = 0 then s.user_id end, n % 1000 = 2, case when n % 1000 = 3 then timestamptz '2100-01-01' end, true
    from scene s, generate_series(1, 100000) n;
insert into crm.messages (tenant_id, id, conversation_id, line_id, direction, source, address, body, status, created_at, position)
  select s.tenant_id, md5('m' || n || '/' || k)::uuid, md5('c' || n)::uuid, s.line_id, case k when 1 then 'inbound' else 'outbound' end, 'contact', '+1305' || (5000000 + n), 'text ' || n,
         'received', timestamptz '2026-01-01' + n * interval '1 minute' - (3 - k) * interval '1 second', nextval('crm.positions')
    from scene s, generate_series(1, 100000) n, generate_series(1, 3) k;
insert into crm.conversation_labels (tenant_id, conversation_id, label_id, last_message_at)
  select s.tenant_id, md5('c' || n)::uuid, case when n % 1000 = 4 then s.rare_id else s.common_id end, timestamptz '2026-01-01' + n * interval '1 minute'
    from scene s, generate_series(1, 100000) n where n % 1000 = 4 or n % 2 = 1;
insert into crm.unreads (tenant_id, user_id, conversation_id)
  select s.tenant_id, s.user_id, md5('c' || n)::uuid from scene s, generate_series(1, 100000) n where n % 1000 = 5;
insert into crm.conversation_counts (tenant_id, state, assignee, count)
  select c.tenant_id, c.state, coalesce(c.assignee_id, '00000000-0000-0000-0000-000000000000'), count(*) from crm.conversations c group by 1, 2, 3
  on conflict on constraint conversation_counts_pkey do update set count = excluded.count;
delete from crm.conversation_deltas;
set session_replication_role = origin;
";

/// Rows that this session's transaction has read so far, of all tables, by scans and by indexes.
async fn rows_read(tx: &mut TenantTx) -> i64 {
    sqlx::query_scalar(
        "select sum(pg_stat_get_xact_tuples_returned(c.oid))::bigint from pg_class c
          where c.relnamespace = 'crm'::regnamespace and c.relkind in ('r', 'i')",
    )
    .fetch_one(tx.conn())
    .await
    .unwrap()
}

struct Scene {
    world: World,
    tenant_id: Uuid,
    reader: UserId,
    small: Uuid,
    rare: Uuid,
    common: Uuid,
}

async fn scene() -> Scene {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.line(&world, json!({})).await;
    acme.colleague("Stranger", "agent").await;
    let small = acme.line(&world, json!({ "address": "+15550000002", "name": "Small" })).await;
    let mut labels = Vec::new();
    for name in ["Rare", "Common"] {
        labels.push(super::id(&acme.post("/labels", &json!({ "name": name })).await.expect(201)).parse().unwrap());
    }
    let session = acme.get("/session").await.expect(200);
    let uuid = |value: &serde_json::Value| value.as_str().unwrap().parse::<Uuid>().unwrap();
    world.drain().await;
    let mut superuser = world.database.superuser().await;
    sqlx::raw_sql(FILL).execute(&mut superuser).await.unwrap();
    sqlx::raw_sql("vacuum analyze").execute(&mut superuser).await.unwrap();
    let (tenant_id, reader) = (uuid(&session["tenant"]["id"]), uuid(&session["user"]["id"]).into());
    Scene { world, tenant_id, reader, small: small.parse().unwrap(), rare: labels[0], common: labels[1] }
}

impl Scene {
    fn filters(&self) -> Vec<(&'static str, Filter, usize)> {
        let none = Filter::default();
        let me = Some(Assignee::User(self.reader));
        vec![
            ("all", none, 50),
            ("active", Filter { state: Some(State::Active), ..none }, 50),
            ("archived", Filter { state: Some(State::Archived), ..none }, 50),
            ("mine", Filter { assignee: me, ..none }, 50),
            ("mine and active", Filter { assignee: me, state: Some(State::Active), ..none }, 50),
            (
                "mine and closed, of which there are none",
                Filter { assignee: me, state: Some(State::Closed), ..none },
                0,
            ),
            ("nobody's", Filter { assignee: Some(Assignee::Nobody), ..none }, 50),
            (
                "nobody's and active",
                Filter { assignee: Some(Assignee::Nobody), state: Some(State::Active), ..none },
                50,
            ),
            ("pinned", Filter { is_pinned: true, ..none }, 50),
            ("pinned and closed", Filter { is_pinned: true, state: Some(State::Closed), ..none }, 50),
            ("snoozed", Filter { is_snoozed: true, ..none }, 50),
            ("unread", Filter { is_unread: true, ..none }, 50),
            ("unread and nobody's", Filter { is_unread: true, assignee: Some(Assignee::Nobody), ..none }, 50),
            ("of a small line", Filter { line_id: Some(self.small), ..none }, 50),
            (
                "of a small line and active",
                Filter { line_id: Some(self.small), state: Some(State::Active), ..none },
                50,
            ),
            ("by RCS", Filter { service: Some(Service::Rcs), ..none }, 50),
            ("by SMS and active", Filter { service: Some(Service::Sms), state: Some(State::Active), ..none }, 50),
            ("of a rare label", Filter { label_id: Some(self.rare), ..none }, 50),
            ("of a common label", Filter { label_id: Some(self.common), ..none }, 50),
            (
                "of a common label and closed",
                Filter { label_id: Some(self.common), state: Some(State::Closed), ..none },
                50,
            ),
            ("unread of a rare label", Filter { label_id: Some(self.rare), is_unread: true, ..none }, 0),
        ]
    }
}

#[tokio::test]
async fn a_page_of_any_list_reads_by_what_it_shows() {
    let scene = scene().await;
    let mut wrong = Vec::new();
    for (name, filter, wanted) in scene.filters() {
        let mut page = PageOf { limit: 50, after: None };
        // the first page, and one from further down
        for place in ["first", "next"] {
            let mut tx = scene.world.app.db.tenant(scene.tenant_id, Actor::Operator).await.unwrap();
            let before = rows_read(&mut tx).await;
            let found = conversations::list(&mut tx, scene.reader, &filter, &page).await.unwrap();
            let read = rows_read(&mut tx).await - before;
            println!("{name}, {place} page: {read} rows read for {}", found.items.len());
            if place == "first" {
                assert_eq!(found.items.len(), wanted, "{name}");
            }
            // each row of a page reads some ten others; of what a second condition keeps out it may pass over some hundreds
            if read > 2_500 {
                wrong.push(format!("{name}, {place} page: {read}"));
            }
            let Some(last) = found.items.last() else { break };
            page.after = Some((last.last_message_at, last.id));
        }
    }
    let mut tx = scene.world.app.db.tenant(scene.tenant_id, Actor::Operator).await.unwrap();
    let before = rows_read(&mut tx).await;
    let counts = counts::counts(&mut tx, scene.reader).await.unwrap();
    let read = rows_read(&mut tx).await - before;
    println!("counters: {read} rows read for {counts:?}");
    assert_eq!((counts.all_unread, counts.mine, counts.snoozed, counts.archived), (100, 200, 100, 1_000));
    assert!(read < 1_000, "the counters read {read} rows");
    drop(tx);
    scene.world.finish().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

impl Scene {
    /// What a page of that list reads for whoever sees the reader's conversations, and those that nobody has too, if so.
    async fn page_within(&self, with_unassigned: bool, (name, filter, wanted): (&str, Filter, usize)) -> i64 {
        let narrow = Narrow { users: Arc::from([self.reader.uuid()]), with_unassigned, who: String::new() };
        let (db, page) = (&self.world.app.db, PageOf { limit: 50, after: None });
        let mut tx = db.tenant_within(self.tenant_id, Actor::Operator, narrow).await.unwrap();
        let before = rows_read(&mut tx).await;
        let found = conversations::list(&mut tx, self.reader, &filter, &page).await.unwrap();
        let read = rows_read(&mut tx).await - before;
        println!("{name}, {with_unassigned}: {read} rows read for {}", found.items.len());
        assert_eq!(found.items.len(), wanted, "{name}");
        read
    }
}

/// The same for whoever sees their own only, and for a team, for which there is what nobody has too.
#[tokio::test]
async fn a_page_of_whoever_sees_some_reads_by_what_it_shows() {
    let scene = scene().await;
    let none = Filter::default();
    let active = Filter { state: Some(State::Active), ..none };
    let closed = Filter { state: Some(State::Closed), ..none };
    let unread = Filter { is_unread: true, ..none };
    let nobodys = Filter { assignee: Some(Assignee::Nobody), ..none };
    let small = Filter { line_id: Some(scene.small), ..none };
    let rare = Filter { label_id: Some(scene.rare), ..none };
    let mut wrong = Vec::new();
    for (name, filter, own, team) in [
        ("all", none, 50, 50),
        ("active", active, 50, 50),
        ("closed", closed, 0, 50),
        ("unread", unread, 0, 50),
        ("nobody's", nobodys, 0, 50),
        ("of a small line", small, 50, 50),
        ("of a rare label", rare, 0, 50),
        // that it is frequent is not found out by a look at each
        ("of a common label", Filter { label_id: Some(scene.common), ..none }, 0, 50),
    ] {
        for (with_unassigned, wanted) in [(false, own), (true, team)] {
            let read = scene.page_within(with_unassigned, (name, filter, wanted)).await;
            if read > 2_500 {
                wrong.push(format!("{name}, {with_unassigned}: {read}"));
            }
        }
    }
    scene.world.finish().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// All but the fifty oldest are a stranger's, who is in no team of the reader's.
const GIVE_AWAY: &str = "
set session_replication_role = replica;
update crm.conversations c set assignee_id = u.id from crm.users u
  where u.tenant_id = c.tenant_id and u.name = 'Stranger' and c.last_message_at > timestamptz '2026-01-01' + interval '50 minutes';
set session_replication_role = origin;
";

#[tokio::test]
async fn a_page_of_a_small_team_does_not_walk_through_what_is_everybody_else_s() {
    let scene = scene().await;
    let mut superuser = scene.world.database.superuser().await;
    sqlx::raw_sql(GIVE_AWAY).execute(&mut superuser).await.unwrap();
    sqlx::raw_sql("vacuum analyze").execute(&mut superuser).await.unwrap();
    let none = Filter::default();
    let mut wrong = Vec::new();
    for (name, filter, wanted) in [
        ("all", none, 50),
        ("active", Filter { state: Some(State::Active), ..none }, 5),
        ("archived", Filter { state: Some(State::Archived), ..none }, 1),
        ("closed", Filter { state: Some(State::Closed), ..none }, 44),
        ("nobody's", Filter { assignee: Some(Assignee::Nobody), ..none }, 50),
        ("unread", Filter { is_unread: true, ..none }, 1),
    ] {
        let read = scene.page_within(true, (name, filter, wanted)).await;
        if read > 2_500 {
            wrong.push(format!("{name}: {read}"));
        }
    }
    scene.world.finish().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}
