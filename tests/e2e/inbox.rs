//! The inbox as a team works in it: lists, threads, what is read, and what people do with a conversation.

mod files;
mod lists;
mod plans;
mod reading;
mod search;
mod seeded;
mod thread;
mod work;

use e2e::{Tenant, World};
use serde_json::{Value, json};
use sim::bluebubbles::Inbound;

/// The other side of most stories.
const JOSE: &str = "+13055550142";

/// Somebody writes, and it is worked in. Answers the conversation.
pub async fn writes(world: &World, tenant: &Tenant, address: &str, text: &str) -> Value {
    world.sim.inbound(&Inbound::new(address, text)).unwrap();
    world.settle().await;
    with(tenant, address).await
}

/// The conversation with an address, as that user sees it.
async fn with(tenant: &Tenant, address: &str) -> Value {
    let all = tenant.items("/conversations?limit=200").await;
    all.into_iter().find(|row| row["address"] == address).unwrap_or_else(|| panic!("no conversation with {address}"))
}

pub fn id(thing: &Value) -> String {
    thing["id"].as_str().unwrap_or_else(|| panic!("no id in {thing}")).to_owned()
}

/// A conversation that nobody has written in.
pub async fn opened(tenant: &Tenant, line: &str, address: &str) -> String {
    id(&tenant.post("/conversations", &json!({ "line_id": line, "address": address })).await.expect(201))
}

async fn reply(tenant: &Tenant, conversation: &str, body: &str) -> Value {
    tenant.post(&format!("/conversations/{conversation}/messages"), &json!({ "body": body })).await.expect(201)
}

async fn note(tenant: &Tenant, conversation: &str, body: &str) -> Value {
    let body = json!({ "body": body, "kind": "note" });
    tenant.post(&format!("/conversations/{conversation}/messages"), &body).await.expect(201)
}

pub async fn change(tenant: &Tenant, conversation: &str, change: Value) -> Value {
    tenant.patch(&format!("/conversations/{conversation}"), &change).await.expect(200)
}

async fn bodies(tenant: &Tenant, conversation: &str) -> Vec<String> {
    let items = tenant.items(&format!("/conversations/{conversation}/messages?limit=200")).await;
    items.iter().map(|row| row["body"].as_str().unwrap().to_owned()).collect()
}
