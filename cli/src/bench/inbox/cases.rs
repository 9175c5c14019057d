//! What is asked for: each filter of the list, threads, searches, and what somebody types to find a contact.

use super::stand::{Stand, Who};
use anyhow::{Context, Result};
use cli::seeding::words::{COMMON, RARE};
use serde_json::Value;
use uuid::Uuid;

/// Statements that a page of a list may take, those that begin and end a transaction apart.
const MOST_STATEMENTS: i64 = 8;
const LIST_MS: f64 = 40.0;
const OPEN_MS: f64 = 30.0;
const SEARCH_MS: f64 = 150.0;
const TYPED_MS: f64 = 40.0;
/// Conversations that are opened by turns, so that not one and the same is in memory.
const OPENED: i64 = 200;

/// Requests of one kind.
pub struct Case {
    pub name: String,
    pub who: Who,
    /// Asked for by turns.
    pub paths: Vec<String>,
    pub aim_ms: f64,
    /// Of statements, where there is an aim.
    pub most_statements: Option<i64>,
}

fn case(name: impl Into<String>, who: Who, aim_ms: f64, paths: Vec<String>) -> Case {
    Case { name: name.into(), who, paths, aim_ms, most_statements: None }
}

fn list(name: String, who: Who, path: String) -> Case {
    Case { most_statements: Some(MOST_STATEMENTS), ..case(format!("list {name}"), who, LIST_MS, vec![path]) }
}

/// All of them.
pub async fn cases(stand: &mut Stand) -> Result<Vec<Case>> {
    let mut cases = lists(stand).await?;
    cases.extend(threads(stand).await?);
    cases.extend(searches());
    let typed =
        ["m", "ma", "mar", "garc", "maria g", "jose mu", "zun", "o'b", "qqqq", "305", "3055", "305 555", "garcia1"];
    cases.extend(typed.map(|typed| {
        case(format!("type-ahead {typed}"), Who::Agent, TYPED_MS, vec![encoded("contacts/suggest", typed)])
    }));
    Ok(cases)
}

async fn lists(stand: &mut Stand) -> Result<Vec<Case>> {
    let labels = stand.client(Who::Owner).get("labels").await?;
    let label = |name: &str| id_of(&labels, name);
    let (common, rare) = (label("Cliente")?, label("Legal")?);
    let small: Uuid = sqlx::query_scalar("select id from crm.lines where tenant_id = $1 order by name desc limit 1")
        .bind(stand.tenant)
        .fetch_one(&mut stand.admin)
        .await?;
    let filters = [
        ("all", String::new()),
        ("active", "state=active".to_owned()),
        ("archived", "state=archived".to_owned()),
        ("closed", "state=closed".to_owned()),
        ("mine", "assignee=me".to_owned()),
        ("mine, active", "assignee=me&state=active".to_owned()),
        ("nobody's", "assignee=none".to_owned()),
        ("nobody's, active", "assignee=none&state=active".to_owned()),
        ("unread", "unread=true".to_owned()),
        ("unread, nobody's, active", "unread=true&assignee=none&state=active".to_owned()),
        ("pinned", "pinned=true".to_owned()),
        ("pinned, archived", "pinned=true&state=archived".to_owned()),
        ("snoozed", "snoozed=true".to_owned()),
        ("snoozed, mine", "snoozed=true&assignee=me".to_owned()),
        ("small line", format!("line={small}")),
        ("small line, active", format!("line={small}&state=active")),
        ("by RCS", "service=rcs".to_owned()),
        ("by RCS, active, mine", "service=rcs&state=active&assignee=me".to_owned()),
        ("by SMS, active", "service=sms&state=active".to_owned()),
        ("common label", format!("label={common}")),
        ("common label, active, mine", format!("label={common}&state=active&assignee=me")),
        ("rare label", format!("label={rare}")),
        ("rare label, unread", format!("label={rare}&unread=true")),
        ("rare label, by RCS, active", format!("label={rare}&service=rcs&state=active")),
        ("pinned, unread, small line", format!("pinned=true&unread=true&line={small}")),
    ];
    let mut cases = Vec::new();
    for (name, filter) in &filters {
        for (limit, who) in [(25, Who::Owner), (100, Who::Owner), (100, Who::Agent)] {
            let path = format!("conversations?limit={limit}&{filter}");
            let page = stand.client(who).get(&path).await?;
            cases.push(list(format!("{name}, {limit}, {who:?}"), who, path.clone()));
            // a page from further down, where there is one
            if let Some(next) = page["next_cursor"].as_str().filter(|_| limit == 25) {
                cases.push(list(format!("{name}, next {limit}"), who, format!("{path}&cursor={next}")));
            }
        }
    }
    cases.push(case("counters", Who::Owner, LIST_MS, vec!["conversations/counts".to_owned()]));
    Ok(cases)
}

async fn threads(stand: &mut Stand) -> Result<Vec<Case>> {
    let sample: Vec<Uuid> =
        sqlx::query_scalar("select id from crm.conversations where tenant_id = $1 order by md5(id::text) limit $2")
            .bind(stand.tenant)
            .bind(OPENED)
            .fetch_all(&mut stand.admin)
            .await?;
    let (longest, middle): (Uuid, Uuid) = sqlx::query_as(
        "with longest as (
           select m.conversation_id as id from crm.messages m where m.tenant_id = $1 group by 1 order by count(*) desc, 1 limit 1)
         select l.id, (select m.id from crm.messages m where m.tenant_id = $1 and m.conversation_id = l.id order by m.created_at limit 1 offset 100) from longest l",
    )
    .bind(stand.tenant)
    .fetch_one(&mut stand.admin)
    .await
    .context("finding the longest conversation")?;
    let of = |id: &Uuid, rest: &str| format!("conversations/{id}{rest}");
    let each = |rest: &str| sample.iter().map(|id| of(id, rest)).collect::<Vec<_>>();
    Ok(vec![
        case("open: the conversation", Who::Agent, OPEN_MS, each("")),
        case("open: its newest 50 messages", Who::Agent, OPEN_MS, each("/messages?limit=50")),
        case("open: the longest one's newest 200", Who::Agent, OPEN_MS, vec![of(&longest, "/messages?limit=200")]),
        case(
            "open: the longest one around a message",
            Who::Agent,
            OPEN_MS,
            vec![of(&longest, &format!("/messages?limit=50&around={middle}"))],
        ),
    ])
}

fn searches() -> Vec<Case> {
    let texts = [
        ("a word in a fifth of all", COMMON.to_owned()),
        ("a rare word", RARE.to_owned()),
        ("a word in a hundredth", "factura".to_owned()),
        ("the most frequent word", "de".to_owned()),
        ("the beginning of a word", "fact".to_owned()),
        ("two letters", "ga".to_owned()),
        ("a common and a rare word", format!("{COMMON} {RARE}")),
        ("two common words", format!("{COMMON} de")),
        ("no word at all", "qwertyuiop".to_owned()),
        ("an order's number", "#483920".to_owned()),
        ("a family name", "garcia".to_owned()),
        ("a name without accents", "jose munoz".to_owned()),
        ("a name that few have", "renee obrien".to_owned()),
        ("a number", "(305) 000-0020".to_owned()),
        ("part of a number", "3050".to_owned()),
        ("from:me", format!("from:me {COMMON}")),
        ("from:them, rare", format!("from:them {RARE}")),
        ("from: a name", format!("from:\"maria garcia\" {COMMON}")),
        ("has:link", "has:link".to_owned()),
        ("has:link, common", format!("has:link {COMMON}")),
        ("before: a year ago", format!("before:2025-10-01 {COMMON}")),
        ("before: and after:, rare", format!("after:2025-01-01 before:2026-01-01 {RARE}")),
        ("has:link from:them before:", "has:link from:them before:2025-06-01".to_owned()),
    ];
    texts
        .into_iter()
        .map(|(name, text)| {
            case(
                format!("search {name}"),
                Who::Agent,
                SEARCH_MS,
                vec![format!("{}&limit=25", encoded("search", &text))],
            )
        })
        .collect()
}

/// The path with what was typed as its `q`.
fn encoded(path: &str, typed: &str) -> String {
    let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("q", typed).finish();
    format!("{path}?{query}")
}

fn id_of(list: &Value, name: &str) -> Result<String> {
    let items = list["items"].as_array().or_else(|| list.as_array()).context("a list has items")?;
    let found = items.iter().find(|item| item["name"] == name);
    Ok(found.and_then(|item| item["id"].as_str()).with_context(|| format!("there is no {name}"))?.to_owned())
}
