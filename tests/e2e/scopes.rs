//! Permissions that reach as far as one's own conversations, or those of one's teams: what is out of sight is not there, by whatever way it is asked for.

mod acts;
mod files;
mod granted;
mod hooks;
mod places;
mod sight;
mod told;
mod written;

use e2e::{Tenant, World};
use serde_json::{Value, json};

use crate::{
    inbox::{change, id, opened},
    live::Feed,
};

/// What somebody may do who answers people.
const AGENT: [&str; 6] = [
    "conversations.view",
    "conversations.reply",
    "conversations.note",
    "conversations.change_state",
    "conversations.assign",
    "templates.view",
];

/// A role of the account's own, in which all that can have a scope has that one.
async fn role_of(acme: &Tenant, scope: &str) -> String {
    let permissions = &AGENT[..5];
    let scopes: serde_json::Map<String, Value> =
        permissions.iter().map(|name| ((*name).to_owned(), json!(scope))).collect();
    let body = json!({ "name": format!("Of {scope}"), "permissions": AGENT, "scopes": scopes });
    id(&acme.post("/roles", &body).await.expect(201))
}

async fn team(acme: &Tenant, name: &str, people: &[&Tenant]) -> String {
    let team = id(&acme.post("/teams", &json!({ "name": name })).await.expect(201));
    for person in people {
        let path = format!("/teams/{team}/members/{}", person.user_id().await);
        acme.put(&path, &json!({})).await.expect(200);
    }
    team
}

/// Ana sees her own only, Tea what is of her team, in which Ana is; Leo is in no team. Each has a conversation, and one is nobody's.
struct Scene {
    world: World,
    acme: Tenant,
    line: String,
    team: String,
    ana: Tenant,
    tea: Tenant,
    leo: Tenant,
    /// By whose they are: ana, tea, leo, nobody.
    conversations: [(&'static str, String); 4],
}

/// Whom the conversations are with, in their order.
const ADDRESSES: [&str; 4] = ["+13055550141", "+13055550142", "+13055550143", "+13055550144"];

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let acme = world.tenant("acme").await;
        let line = acme.line(&world, json!({})).await;
        let (own, of_team) = (role_of(&acme, "own").await, role_of(&acme, "team").await);
        let ana = acme.colleague("Ana", &own).await;
        let tea = acme.colleague("Tea", &of_team).await;
        let leo = acme.colleague("Leo", &own).await;
        let team = team(&acme, "Ventas", &[&ana, &tea]).await;
        let mut conversations =
            [("ana", String::new()), ("tea", String::new()), ("leo", String::new()), ("nobody", String::new())];
        for ((whose, conversation), address) in conversations.iter_mut().zip(ADDRESSES) {
            *conversation = opened(&acme, &line, address).await;
            let assignee = match *whose {
                "ana" => Some(ana.user_id().await),
                "tea" => Some(tea.user_id().await),
                "leo" => Some(leo.user_id().await),
                _ => None,
            };
            change(&acme, conversation, json!({ "assignee_id": assignee })).await;
        }
        // what has been done so far is told before somebody listens for what comes
        told::heard(&acme, &mut Feed::open(&world, &acme).await.0).await;
        Self { world, acme, line, team, ana, tea, leo, conversations }
    }

    fn of(&self, whose: &str) -> &str {
        let found = self.conversations.iter().find(|(name, _)| *name == whose);
        &found.unwrap_or_else(|| panic!("{whose} has none")).1
    }

    /// Who sees what: each with those whose conversations they see.
    fn lookers(&self) -> [(&Tenant, &'static [&'static str]); 4] {
        [
            (&self.acme, &["ana", "tea", "leo", "nobody"]),
            (&self.ana, &["ana"]),
            (&self.tea, &["ana", "tea", "nobody"]),
            (&self.leo, &["leo"]),
        ]
    }
}
