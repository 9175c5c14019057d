//! Queries: chats, messages by ROWID, by GUID, by time, and what is shown only on request.

use serde_json::{Value, json};
use sim::bluebubbles::Inbound;

use crate::desk::Desk;

const ANA: &str = "+15551234567";
const BEN: &str = "+15550000002";

async fn conversation() -> Desk {
    let desk = Desk::new().await;
    for n in 1..=3 {
        desk.text(ANA, &format!("out {n}"), &format!("t{n}")).await;
        desk.sim.inbound(&Inbound::new(BEN, &format!("in {n}"))).unwrap();
    }
    desk
}

fn texts(answer: &Value) -> Vec<&str> {
    answer["data"].as_array().unwrap().iter().map(|row| row["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn messages_are_paged_by_rowid() {
    let desk = conversation().await;
    let ask = |after: i64| {
        let wheres = json!([{"statement": "message.ROWID > :id", "args": {"id": after}}]);
        json!({"where": wheres, "sort": "ASC", "limit": 4, "with": ["chat"]})
    };
    let first = desk.post("/message/query", ask(0)).await.1;
    assert_eq!(texts(&first), ["out 1", "in 1", "out 2", "in 2"]);
    assert_eq!(first["metadata"], json!({"offset": 0, "limit": 4, "total": 6, "count": 4}));
    assert_eq!(first["message"], "Successfully fetched messages!");
    let last = first["data"][3]["originalROWID"].as_i64().unwrap();
    let rest = desk.post("/message/query", ask(last)).await.1;
    assert_eq!(texts(&rest), ["out 3", "in 3"]);
    assert_eq!(rest["data"][0]["chats"][0]["guid"], format!("iMessage;-;{ANA}"));
}

#[tokio::test]
async fn where_statements_filter() {
    let desk = conversation().await;
    let by_me = json!([{"statement": "message.is_from_me = 1", "args": null}]);
    let found = desk.post("/message/query", json!({"where": by_me})).await.1;
    assert_eq!(texts(&found), ["out 3", "out 2", "out 1"]);
    assert_eq!(found["data"][0]["chats"], json!([]));
    let guids = [found["data"][0]["guid"].clone(), found["data"][2]["guid"].clone()];
    let one = json!([{"statement": "message.guid = :guid", "args": {"guid": guids[0]}}]);
    assert_eq!(texts(&desk.post("/message/query", json!({"where": one})).await.1), ["out 3"]);
    let many = json!([{"statement": "message.guid IN (:...guids)", "args": {"guids": guids}}]);
    assert_eq!(texts(&desk.post("/message/query", json!({"where": many, "sort": "ASC"})).await.1), ["out 1", "out 3"]);
    let joined =
        json!([{"statement": "message.is_from_me = :me AND message.text LIKE :t", "args": {"me": 0, "t": "%2"}}]);
    assert_eq!(texts(&desk.post("/message/query", json!({"where": joined})).await.1), ["in 2"]);
    let wrong = json!([{"statement": "message.nothing = 1", "args": {}}]);
    assert_eq!(desk.post("/message/query", json!({"where": wrong})).await.0, 500);
    assert_eq!(desk.sim.unexpected().len(), 1);
}

#[tokio::test]
async fn a_chat_narrows_a_query_and_an_unknown_one_finds_nothing() {
    let desk = conversation().await;
    let guid = format!("iMessage;-;{BEN}");
    let found = desk.post("/message/query", json!({"chatGuid": guid, "after": 0, "limit": 2, "offset": 1})).await.1;
    assert_eq!(texts(&found), ["in 2", "in 1"]);
    let (status, none) = desk.post("/message/query", json!({"chatGuid": "iMessage;-;+1999"})).await;
    assert_eq!((status, &none["message"]), (200, &json!("No chat found with GUID: iMessage;-;+1999")));
    assert!(none["data"] == json!([]) && none.get("metadata").is_none());
    let (status, said) = desk.post("/message/query", json!({"limit": 1001})).await;
    assert_eq!((status, &said["error"]["message"]), (400, &json!("The limit may not be greater than 1000.")));
    let future = json!({"after": 32_503_680_000_000_i64});
    assert_eq!(desk.post("/message/query", future).await.1["metadata"]["total"], 0);
}

#[tokio::test]
async fn chats_show_what_was_asked_for() {
    let desk = conversation().await;
    let all = desk.post("/chat/query", json!({"with": ["lastMessage"], "limit": 1})).await.1;
    assert_eq!(all["metadata"], json!({"count": 1, "total": 2, "limit": 1}));
    assert_eq!(all["data"][0]["lastMessage"]["text"], "in 3");
    assert_eq!(all["data"][0]["participants"][0]["address"], BEN);
    let encoded = "/chat/iMessage%3B-%3B%2B15551234567";
    assert_eq!(desk.get(encoded).await.1["data"]["participants"], json!([]));
    let full = desk.get(&format!("{encoded}?with=participants,lastMessage")).await.1;
    assert_eq!((&full["data"]["participants"][0]["address"], &full["data"]["style"]), (&json!(ANA), &json!(45)));
    assert_eq!(full["data"]["lastMessage"]["text"], "out 3");
    let (status, said) = desk.get("/chat/iMessage;-;+1").await;
    assert_eq!((status, &said["error"]["message"]), (404, &json!("Chat does not exist!")));
    let messages = desk.get(&format!("{encoded}/message?sort=ASC&limit=2")).await.1;
    assert_eq!(texts(&messages), ["out 1", "out 2"]);
    assert_eq!(desk.get("/message/6C0B8C5E-0F5F-4A53-9D9C-5E1B0B0C7A11").await.0, 404);
}

#[tokio::test]
async fn logs_are_paged() {
    let desk = conversation().await;
    let page = desk.look("sent?limit=2").await;
    assert_eq!(
        (&page["next_after"], &page["total"], &page["entries"][1]["text"]),
        (&json!(2), &json!(3), &json!("out 2"))
    );
    let rest = desk.look("sent?after=2").await;
    assert_eq!((&rest["next_after"], &rest["entries"][0]["seq"]), (&Value::Null, &json!(3)));
    let calls = desk.look("calls?path=/api/v1/message/text&limit=2").await;
    assert_eq!((&calls["entries"][1]["temp_guid"], &calls["next_after"]), (&json!("t2"), &json!(2)));
}
