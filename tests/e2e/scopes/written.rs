//! What the database refuses to have written, whatever a statement forgets to ask.

use std::sync::Arc;

use db::{Actor, Narrow, Scope, constraint};
use serde_json::json;
use uuid::Uuid;

use super::{ADDRESSES, Scene};
use crate::inbox::id;

/// A row of each kind that is written by hand into a conversation.
const WRITES: [&str; 6] = [
    "insert into crm.messages (id, conversation_id, line_id, direction, source, address, body, status, client_guid)
       select gen_random_uuid(), $1, l.id, 'outbound', 'user', '+13055550141', 'x', 'queued', 'x' from crm.lines l where l.tenant_id = app.tenant_id()",
    "insert into crm.notes (id, conversation_id, body) values (gen_random_uuid(), $1, 'x')",
    "insert into crm.reads (user_id, conversation_id, position) select u.id, $1, 1 from crm.users u where u.tenant_id = app.tenant_id()",
    "insert into crm.drafts (user_id, conversation_id, kind, body) select u.id, $1, 'note', 'x' from crm.users u where u.tenant_id = app.tenant_id()",
    "insert into crm.presences (user_id, conversation_id, state, expires_at) select u.id, $1, 'here', app.now() from crm.users u where u.tenant_id = app.tenant_id()",
    "insert into crm.conversation_labels (conversation_id, label_id, last_message_at) select $1, l.id, app.now() from crm.labels l where l.tenant_id = app.tenant_id()",
];

#[tokio::test]
async fn nothing_is_written_into_a_conversation_that_is_out_of_sight() {
    let scene = Scene::new().await;
    scene.acme.post("/labels", &json!({ "name": "VIP" })).await.expect(201);
    let session = scene.ana.get("/session").await.expect(200);
    let uuid = |text: &str| text.parse::<Uuid>().unwrap();
    let (tenant_id, ana) = (uuid(&id(&session["tenant"])), uuid(&id(&session["user"])));
    let write = async |sql: &'static str, conversation: Uuid| {
        let narrow = Narrow { users: Arc::from([ana]), with_unassigned: false, who: String::new() };
        let mut tx = scene.world.app.db.tenant_within(tenant_id, Actor::Operator, narrow).await.unwrap();
        // what comes of it is not kept
        sqlx::query(sql).bind(conversation).execute(tx.conn()).await
    };
    for sql in WRITES {
        for whose in ["tea", "leo", "nobody"] {
            let refused = write(sql, uuid(scene.of(whose))).await.unwrap_err();
            assert!(constraint::is_out_of_sight(&refused), "{whose}: {sql}: {refused}");
        }
        let own = write(sql, uuid(scene.of("ana"))).await;
        assert!(own.is_ok_and(|done| done.rows_affected() > 0), "{sql}");
    }
    // what a role may do to no row at all is another matter, and a fault of ours
    let forbidden = write("delete from crm.tenants t where t.id = $1", tenant_id).await.unwrap_err();
    assert!(!constraint::is_out_of_sight(&forbidden), "{forbidden}");
    scene.world.finish().await;
}

/// What goes to whomever goes so also by somebody who sees their own only.
#[tokio::test]
async fn who_answers_everybody_and_sees_their_own_sends_to_whomever() {
    let scene = Scene::new().await;
    let names = ["conversations.view", "conversations.reply"];
    let role = json!({ "name": "Sends", "permissions": names, "scopes": { "conversations.view": "own" } });
    let sender = scene.acme.colleague("Sam", &id(&scene.acme.post("/roles", &role).await.expect(201))).await;
    for address in [ADDRESSES[2], "+13055550170"] {
        let text = json!({ "line_id": scene.line, "address": address, "text": "cita mañana" });
        let jobs = json!({ "jobs": [{ "kind": "messaging.send_text", "payload": text }] });
        sender.post("/jobs", &jobs).await.expect(200);
    }
    scene.world.settle().await;
    let path = format!("/conversations/{}/messages", scene.of("leo"));
    assert_eq!(scene.leo.items(&path).await.len(), 1);
    assert_eq!(sender.get(&path).await.status, 404);
    scene.world.finish().await;
}
