//! What somebody asks of what is kept about them: all of it in a copy, nothing of it after an erase, wherever it lay.

use std::{io::Read, time::Duration};

use e2e::{Tenant, World, eventually, eventually_some};
use reqwest::Method;
use serde_json::{Value, json};
use sim::bluebubbles::{Behaviour, Inbound};

use crate::media::{PICTURE, file, made};

const ZOE: &str = "+13055550142";
const LEO: &str = "+13055550177";
/// What must be found nowhere after an erase: her name, numbers, mail, what she said and what was said of her.
const CANARIES: [&str; 8] = [
    "Zoraida",
    "Quintanilla",
    "3055550142",
    "zoraida.q@example.com",
    "mi rodilla izquierda",
    "prefiere que la llamen",
    "borrador sobre ella",
    "en el grupo dije algo",
];

struct Ground {
    world: World,
    acme: Tenant,
    line: String,
    contact: String,
}

async fn ground() -> Ground {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let line = acme.line(&world, json!({})).await;
    let csv = format!(
        "first_name,last_name,phone,email\nZoraida,Quintanilla,{ZOE},zoraida.q@example.com\nLeo,Paz,{LEO},leo@example.com\n"
    );
    acme.import(csv, "").await;
    let contacts = acme.items("/contacts").await;
    let zoe = contacts.iter().find(|contact| contact["phone"] == ZOE).unwrap();
    let contact = zoe["id"].as_str().unwrap().to_owned();
    Ground { world, acme, line, contact }
}

impl Ground {
    async fn conversation(&self, address: &str) -> String {
        let all = self.acme.items("/conversations").await;
        let found = all.iter().find(|conversation| conversation["address"] == address).unwrap();
        found["id"].as_str().unwrap().to_owned()
    }

    /// Asks and waits for the end.
    async fn ask(&self, what: &str) -> Value {
        let asked = self.acme.post(&format!("/contacts/{}/{what}", self.contact), &json!({})).await.expect(201);
        let path = format!("/privacy-requests/{}", asked["id"].as_str().unwrap());
        eventually_some("the request has ended", || async {
            let request = self.acme.get(&path).await.expect(200);
            (request["state"] == "completed").then_some(request)
        })
        .await
    }

    /// Everything that somebody leaves behind with us: the conversation, and what the gateway calls the first message.
    async fn lives(&self) -> (String, String) {
        let Self { world, acme, contact, .. } = self;
        let guid = world.sim.inbound(&Inbound::new(ZOE, "me duele mi rodilla izquierda")).unwrap().remove(0);
        world.settle().await;
        let conversation = self.conversation(ZOE).await;
        let said = format!("/conversations/{conversation}/messages");
        acme.post(&said, &json!({ "kind": "note", "body": "prefiere que la llamen por la tarde" })).await.expect(201);
        acme.post(&said, &json!({ "kind": "message", "body": "Hola Zoraida, ¿cómo sigue?" })).await.expect(201);
        let draft = json!({ "kind": "message", "body": "borrador sobre ella" });
        acme.put(&format!("/conversations/{conversation}/draft"), &draft).await.expect(200);
        acme.post(&format!("/contacts/{contact}/household"), &json!({ "name": "Zoraida hija" })).await.expect(201);
        let double = json!({ "first_name": "Zoraida", "email": "zoraida.q@example.com" });
        let double = acme.post("/contacts", &double).await.expect(201);
        acme.post(&format!("/contacts/{contact}/merge"), &json!({ "merged_id": double["id"] })).await.expect(200);
        let group = Inbound {
            group: vec![ZOE.to_owned(), LEO.to_owned()],
            group_name: "Vecinos".to_owned(),
            ..Inbound::new(ZOE, "en el grupo dije algo")
        };
        world.sim.inbound(&group).unwrap();
        world.sim.inbound(&Inbound { text: "yo también".to_owned(), address: LEO.to_owned(), ..group }).unwrap();
        let export = acme.post("/contacts/bulk/export", &json!({ "filter": {} })).await.expect(201);
        world.settle().await;
        eventually("the list is written out", || async {
            let path = format!("/contacts/bulk/{}", export["id"].as_str().unwrap());
            acme.get(&path).await.expect(200)["state"] == "completed"
        })
        .await;
        (conversation, guid)
    }

    /// In which tables, of all there are, something of a word stands.
    async fn found_in(&self, word: &str) -> Vec<String> {
        let superuser = &mut self.world.database.superuser().await;
        let tables: Vec<String> = sqlx::query_scalar(
            "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
              where n.nspname in ('app', 'crm', 'jobs') and c.relkind = 'r' order by 1",
        )
        .fetch_all(&mut *superuser)
        .await
        .unwrap();
        assert!(tables.len() > 60);
        let hex: String = word.bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut found = Vec::new();
        for table in tables {
            let query = format!(
                "select exists (select from {table} t where t::text ilike '%{word}%' or t::text like '%{hex}%')"
            );
            let is_there: bool =
                sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(&mut *superuser).await.unwrap();
            if is_there {
                found.push(table);
            }
        }
        found
    }

    fn files(&self) -> Vec<std::path::PathBuf> {
        let mut folders = vec![self.world.media_folder().to_owned()];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            for entry in entries.map(Result::unwrap) {
                let path = entry.path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files
    }
}

#[tokio::test]
async fn nothing_of_an_erased_contact_is_left_anywhere() {
    let ground = ground().await;
    let Ground { world, acme, line, contact } = &ground;
    let (conversation, guid) = ground.lives().await;
    let campaign = acme.draft(line, acme.items("/imports").await[0]["id"].as_str().unwrap(), json!({})).await;
    acme.launch(&campaign).await;
    acme.until(&campaign, "completed").await;
    world.settle().await;
    for word in CANARIES {
        assert!(!ground.found_in(word).await.is_empty(), "the test looks where {word} was");
    }
    ground.ask("export").await;
    assert!(!ground.files().is_empty());
    let request = ground.ask("erase").await;
    let counts = [&request["recipient_count"], &request["part_count"]];
    assert_eq!(counts, [&json!(1), &json!(0)]);
    assert!(request["message_count"].as_i64().unwrap() >= 5, "{request}");
    for word in CANARIES {
        assert_eq!(ground.found_in(word).await, Vec::<String>::new(), "{word}");
    }
    assert!(ground.files().is_empty(), "{:?}", ground.files());
    assert_eq!(acme.get(&format!("/contacts/{contact}")).await.status, 404);
    assert_eq!(acme.get(&format!("/conversations/{conversation}")).await.status, 404);
    let found = acme.get("/search?q=rodilla").await.expect(200);
    assert!(!found.to_string().contains("rodilla izquierda"), "{found}");
    // the others keep what they said, and see that something was taken back
    let group = acme.items("/conversations").await.into_iter().find(|one| one["kind"] == "group").unwrap();
    let said = acme.items(&format!("/conversations/{}/messages", group["id"].as_str().unwrap())).await;
    assert_eq!(said.len(), 2);
    assert!(said.iter().any(|message| message["body"] == "yo también"), "{said:?}");
    assert!(said.iter().any(|message| message["unsent_at"].is_string()), "{said:?}");
    // campaigns add up as before
    let progress = acme.progress(&campaign).await;
    assert_eq!(
        progress["counts"]["sent"].as_i64().unwrap_or(0) + progress["counts"]["delivered"].as_i64().unwrap_or(0),
        2
    );
    // who did it is known
    let changes = acme.items("/audit/changes?subject=privacy_request").await;
    assert!(changes.iter().all(|change| !change.to_string().contains("3055550142")), "{changes:?}");
    assert!(changes.len() >= 4, "{changes:?}");
    // a gateway that tells of it once more brings nothing back
    assert!(world.sim.replay(&guid));
    world.settle().await;
    assert_eq!(ground.found_in("mi rodilla izquierda").await, Vec::<String>::new());
    assert_eq!(ground.found_in("3055550142").await, Vec::<String>::new());
    // she may write again, and is somebody new
    world.sim.inbound(&Inbound::new(ZOE, "hola de nuevo")).unwrap();
    world.settle().await;
    assert_eq!(acme.messages(ZOE).await.len(), 1);
    ground.world.finish().await;
}

/// They asked for no more messages: that they must not be written to is what an erase keeps.
#[tokio::test]
async fn who_has_opted_out_stays_so() {
    let ground = ground().await;
    let Ground { world, acme, line, .. } = &ground;
    world.sim.inbound(&Inbound::new(ZOE, "STOP")).unwrap();
    world.settle().await;
    ground.ask("erase").await;
    assert_eq!(ground.found_in("3055550142").await, ["crm.suppressions"]);
    let csv = format!("first_name,last_name,phone\nZoraida,Q,{ZOE}\n");
    let import = acme.import(csv, "").await["id"].as_str().unwrap().to_owned();
    let campaign = acme.draft(line, &import, json!({})).await;
    assert_eq!(acme.act(&format!("/campaigns/{campaign}/launch")).await.code(), "audience_empty");
    ground.world.finish().await;
}

#[tokio::test]
async fn nothing_goes_out_to_somebody_who_is_erased() {
    let ground = ground().await;
    let Ground { world, acme, line, contact } = &ground;
    let import = acme.items("/imports").await[0]["id"].as_str().unwrap().to_owned();
    let campaign = acme.draft(line, &import, json!({ "rate_per_minute": 1 })).await;
    acme.launch(&campaign).await;
    acme.act(&format!("/campaigns/{campaign}/pause")).await.expect(200);
    let sent = |address: &str| world.sim.sent().iter().filter(|sent| &*sent.address == address).count();
    eventually("what was on its way has ended", || async { acme.recipients(&campaign, "sending").await.is_empty() })
        .await;
    let before = sent(ZOE);
    ground.ask("erase").await;
    assert_eq!(acme.get(&format!("/contacts/{contact}")).await.status, 404);
    acme.act(&format!("/campaigns/{campaign}/resume")).await.expect(200);
    eventually("the others have it", || async {
        world.advance(Duration::from_secs(61)).await;
        acme.get(&format!("/campaigns/{campaign}")).await.expect(200)["state"] == "completed"
    })
    .await;
    assert_eq!(sent(ZOE), before);
    assert_eq!(sent(LEO), 1);
    ground.world.finish().await;
}

/// A call that has left is waited for: what its echo told would be a message from nowhere.
#[tokio::test]
async fn what_is_on_its_way_ends_before_its_conversation_does() {
    let ground = ground().await;
    let Ground { world, acme, line, contact } = &ground;
    // nothing but a look back at the gateway tells that it has left
    world.sim.configure(|sim| sim.webhook_drop_pct = 100.0);
    world.sim.fail_next(1, Behaviour::HangAfter);
    let begun = json!({ "line_id": line, "address": ZOE });
    let conversation = acme.post("/conversations", &begun).await.expect(201)["id"].as_str().unwrap().to_owned();
    let said = format!("/conversations/{conversation}/messages");
    acme.post(&said, &json!({ "kind": "message", "body": "en camino" })).await.expect(201);
    eventually("it is on its way, or nobody knows", || async {
        let status = acme.messages(ZOE).await[0]["status"].clone();
        status == "sending" || status == "unknown"
    })
    .await;
    let asked = acme.post(&format!("/contacts/{contact}/erase"), &json!({})).await.expect(201);
    let path = format!("/privacy-requests/{}", asked["id"].as_str().unwrap());
    eventually("it is erased", || async {
        world.advance(Duration::from_secs(6)).await;
        acme.get(&path).await.expect(200)["state"] == "completed"
    })
    .await;
    world.settle().await;
    assert_eq!(ground.found_in("en camino").await, Vec::<String>::new());
    ground.world.finish().await;
}

#[tokio::test]
async fn of_two_who_ask_at_once_the_second_is_told_and_only_who_may_asks() {
    let ground = ground().await;
    let Ground { acme, contact, .. } = &ground;
    let path = format!("/contacts/{contact}/erase");
    let nothing = json!({});
    let agent = acme.colleague("Ana", "agent").await;
    assert_eq!(agent.post(&path, &nothing).await.code(), "forbidden");
    assert_eq!(agent.post(&format!("/contacts/{contact}/export"), &nothing).await.code(), "forbidden");
    let (one, two) = tokio::join!(acme.post(&path, &nothing), acme.post(&path, &nothing));
    let mut both = [one.status.as_u16(), two.status.as_u16()];
    both.sort_unstable();
    // the second meets the request, or a contact that is gone
    assert!(both == [201, 404] || both == [201, 409], "{} {}", one.text, two.text);
    let key = json!({ "name": "k", "permissions": ["contacts.delete"] });
    let key = acme.post("/api-keys", &key).await.expect(201)["token"].as_str().unwrap().to_owned();
    let leo = acme.items("/contacts").await[0]["id"].as_str().unwrap().to_owned();
    let url = format!("{}/api/v1/contacts/{leo}/erase", ground.world.base());
    let asked = reqwest::Client::new().post(url).bearer_auth(key).json(&nothing).send().await.unwrap();
    assert_eq!(asked.json::<Value>().await.unwrap()["code"], "proof_needed", "no program erases people");
    ground.world.drain().await;
    ground.world.finish().await;
}

#[tokio::test]
async fn a_copy_holds_all_that_was_said_and_every_file_for_a_week() {
    if std::process::Command::new("ffmpeg").arg("-version").output().is_err() {
        e2e::leave_out("ffmpeg is not installed (Debian's package of that name)");
        return;
    }
    let ground = ground().await;
    let Ground { world, acme, .. } = &ground;
    let (conversation, _) = ground.lives().await;
    let guid = world.sim.inbound(&Inbound::new(ZOE, "")).unwrap().remove(0);
    world.settle().await;
    let picture = made(&PICTURE, "a.png");
    world.sim.attach(&guid, &file("mi foto.png", "image/png", picture.clone())).unwrap();
    world.advance(Duration::from_secs(3)).await;
    world.settle().await;
    let message = acme.messages(ZOE).await[0]["id"].as_str().unwrap().to_owned();
    eventually("the picture is there", || async {
        acme.get(&format!("/messages/{message}/media")).await.expect(200)[0]["state"] == "stored"
    })
    .await;
    let request = ground.ask("export").await;
    assert_eq!((&request["part_count"], &request["file_count"]), (&json!(1), &json!(1)), "{request}");
    let part = format!("/privacy-requests/{}/parts/1", request["id"].as_str().unwrap());
    let answer = acme.request(Method::GET, &part).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/zip");
    let bytes = answer.bytes().await.unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut read = |name: &str| {
        let mut bytes = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    let data: Value = serde_json::from_slice(&read("data.json")).unwrap();
    assert_eq!(data["contact"]["last_name"], "Quintanilla");
    assert_eq!(data["household"][0]["name"], "Zoraida hija");
    assert!(data["contact"]["tenant_id"].is_null());
    let messages: Vec<Value> = serde_json::from_slice(&read("messages.json")).unwrap();
    let texts: Vec<&str> = messages.iter().filter_map(|message| message["text"].as_str()).collect();
    for text in ["me duele mi rodilla izquierda", "prefiere que la llamen por la tarde", "en el grupo dije algo"] {
        assert!(texts.contains(&text), "{text} in {texts:?}");
    }
    assert!(!texts.contains(&"yo también"), "what others said in a group is theirs");
    let name = messages.iter().find_map(|message| message["files"][0]["file"].as_str()).unwrap();
    assert!(name.starts_with("files/") && !name.contains(".."), "{name}");
    assert_eq!(read(name), picture);
    assert!(acme.get(&format!("/conversations/{conversation}")).await.status.is_success(), "a copy takes nothing away");
    let agent = acme.colleague("Ana", "agent").await;
    assert_eq!(agent.get(&part).await.code(), "forbidden");
    world.database.advance(Duration::from_secs(7 * 86_400 + 60)).await;
    let acme = Tenant::log_in(world.base(), "owner@acme.example", e2e::actors::PASSWORD).await;
    assert_eq!(acme.get(&part).await.status, 404);
    let fire = json!({ "reason": "a week has passed" });
    world.operator().post("/schedules/privacy.prune/fire", &fire).await.expect(200);
    eventually("the archive is gone", || async { ground.files().iter().all(|path| !is_zip(path)) }).await;
    ground.world.finish().await;
}

fn is_zip(path: &std::path::Path) -> bool {
    std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"PK"))
}
