//! Writes the rows of one tenant, table by table: messages in the order of time, as they would lie after years of use, then the conversations
//! as the messages have left them.

use super::copy::Row;
use super::tenant::{Of, Stand, Tenant, Traits, id, names};
use super::words;
use super::{Filling, Progress};
use anyhow::Result;
use uuid::Uuid;

const MINUTE: i64 = 60_000_000;
const NEW: &str = "#3366cc";
const LABELS: [&str; 12] = [
    "Cliente",
    "VIP",
    "Pendiente",
    "Factura",
    "Follow-up",
    "Refund",
    "Queja",
    "Lead",
    "Wholesale",
    "Escuela",
    "Press",
    "Legal",
];

/// Its people, lines and labels.
pub async fn people(filling: &mut Filling<'_>, tenant: &Tenant) -> Result<()> {
    let password_hash = filling.password_hash;
    let mut users = filling
        .copy("copy crm.users (tenant_id, id, email, name, role, password_hash, read_from, created_at) from stdin", 8)
        .await?;
    for (n, user) in tenant.users.iter().enumerate() {
        let (role, email) = match n {
            0 => ("owner", format!("owner@{}.example", tenant.slug())),
            _ => ("agent", format!("agent-{n}@{}.example", tenant.slug())),
        };
        let (first, last) = names(&mut tenant.dice(Of::User, n as u64));
        let row = users.row().await?.id(tenant.id).id(*user).text(&email).text(&format!("{first} {last}")).text(role);
        row.text(password_hash).number(0).at(tenant.since);
    }
    users.end().await?;
    let mut lines = filling
        .copy("copy crm.lines (tenant_id, id, name, address, base_url, password, method, hook_token_hash, hook_token, send_timeout_s, resolve_after_s, created_at) from stdin", 12)
        .await?;
    for (n, line) in tenant.lines.iter().enumerate() {
        let address = format!("+1555{:03}{n:04}", tenant.number % 1000);
        let row = lines.row().await?.id(tenant.id).id(*line).text(&format!("Line {}", n + 1)).text(&address);
        // nothing answers there, and nobody can read the password: a line to look at, not to send by
        let row = row.text("http://127.0.0.1:9").bytes(&[]).text("apple_script").bytes(line.as_bytes()).bytes(&[]);
        row.int(60).int(120).at(tenant.since);
    }
    lines.end().await?;
    let mut labels = filling.copy("copy crm.labels (tenant_id, id, name, color, created_at) from stdin", 5).await?;
    for (label, name) in tenant.labels.iter().zip(LABELS) {
        labels.row().await?.id(tenant.id).id(*label).text(name).text(NEW).at(tenant.since);
    }
    labels.end().await.map(drop)
}

/// Its contacts: those of its conversations, and a tenth more with whom there is none.
pub async fn contacts(filling: &mut Filling<'_>, tenant: &Tenant) -> Result<u64> {
    let mut contacts = filling
        .copy("copy crm.contacts (tenant_id, id, first_name, last_name, phone, email, company, city, created_at, updated_at) from stdin", 10)
        .await?;
    for n in 0..tenant.conversations + tenant.conversations / 10 {
        if n < tenant.conversations && !tenant.traits(n).has_contact {
            continue;
        }
        let mut dice = tenant.dice(Of::Contact, n);
        let (first, last) = names(&mut dice);
        let email = dice.happens(400).then(|| format!("{}{n}@mail.example", last.to_lowercase().replace('\'', "")));
        let company = dice.happens(150).then(|| dice.pick(words::COMPANIES));
        let at = tenant.at(tenant.first_message(n.min(tenant.conversations)));
        let row = contacts.row().await?.id(tenant.id).id(tenant.contact_id(n)).text(first).text(last);
        let row = row.text(&tenant.address(n, false)).maybe(email, |row, email| row.text(&email));
        row.maybe(company, Row::text).text("Miami").at(at).at(at);
    }
    contacts.end().await
}

/// Its messages, and where they leave its conversations.
pub async fn messages(filling: &mut Filling<'_>, tenant: &Tenant, progress: &mut Progress) -> Result<Vec<Stand>> {
    let mut stands = vec![Stand::default(); usize::try_from(tenant.conversations)?];
    let mut reactions = Vec::new();
    let first_position = filling.position;
    let mut messages = filling
        .copy(
            "copy crm.messages (tenant_id, id, conversation_id, line_id, direction, source, address, body, service, status, reason, client_guid, guid,
               sent_at, delivered_at, read_at, created_at, position, author_id) from stdin",
            19,
        )
        .await?;
    let mut body = String::new();
    for n in 0..tenant.messages {
        let conversation = tenant.conversation_of(n);
        let stand = &mut stands[usize::try_from(conversation)?];
        let said = Said::of(tenant, n, conversation, stand.last_at == 0);
        let position = first_position + i64::try_from(n)?;
        stand.last_at = said.at;
        stand.is_answered = said.status != "received";
        if !stand.is_answered {
            stand.came_in = [stand.came_in[1], position];
        }
        words::write(&mut body, &mut tenant.dice(Of::Text, n));
        if said.is_liked {
            reactions.push((said.traits.line, said.guid, said.at));
        }
        said.write(messages.row().await?, tenant, conversation, &body, position);
        progress.step();
    }
    filling.position += i64::try_from(messages.end().await?)?;
    let mut liked = filling
        .copy(
            "copy crm.message_reactions (tenant_id, line_id, target_guid, sender, kind, is_removed, at) from stdin",
            7,
        )
        .await?;
    for (line, guid, at) in reactions {
        let row = liked.row().await?.id(tenant.id).id(line).text(&guid_text(guid)).text("").text("love");
        row.fact(false).at(at + MINUTE);
    }
    liked.end().await?;
    Ok(stands)
}

/// A message before it is written.
struct Said {
    id: Uuid,
    traits: Traits,
    at: i64,
    source: &'static str,
    status: &'static str,
    author: Option<Uuid>,
    guid: Uuid,
    is_liked: bool,
}

impl Said {
    fn of(tenant: &Tenant, n: u64, conversation: u64, is_first: bool) -> Self {
        let mut dice = tenant.dice(Of::Guid, n);
        let (source, status) = if dice.happens(if is_first { 300 } else { 520 }) {
            ("contact", "received")
        } else {
            let source = if is_first { "campaign" } else { dice.pick(&["user", "user", "user", "device", "campaign"]) };
            let status = match dice.below(100) {
                0..3 => "failed",
                3..12 => "sent",
                12..60 => "delivered",
                _ => "read",
            };
            (source, status)
        };
        Self {
            id: tenant.message_id(n),
            traits: tenant.traits(conversation),
            at: tenant.at(n),
            source,
            status,
            author: (source == "user").then(|| dice.lean(&tenant.users)),
            guid: uuid::Builder::from_random_bytes(dice.wide().to_be_bytes()).into_uuid(),
            is_liked: status != "failed" && dice.happens(10),
        }
    }

    fn write(&self, row: Row<'_>, tenant: &Tenant, conversation: u64, body: &str, position: i64) {
        let is_out = self.status != "received";
        let has_left = is_out && self.status != "failed";
        let row = row.id(tenant.id).id(self.id).id(tenant.conversation_id(conversation)).id(self.traits.line);
        let row = row.text(if is_out { "outbound" } else { "inbound" }).text(self.source);
        let row = row.text(&tenant.address(conversation, self.traits.is_group)).text(body).text(self.traits.service);
        let row = row.text(self.status).maybe((self.status == "failed").then_some("not_delivered"), Row::text);
        let row = row.maybe(is_out.then_some(self.id), |row, id| row.text(&id.to_string()));
        let row = row.maybe((self.status != "failed").then_some(self.guid), |row, guid| row.text(&guid_text(guid)));
        let row = row.maybe(has_left.then_some(self.at + MINUTE / 30), Row::at);
        let row = row.maybe(matches!(self.status, "delivered" | "read").then_some(self.at + MINUTE / 20), Row::at);
        let row = row.maybe((self.status == "read").then_some(self.at + 5 * MINUTE), Row::at);
        row.at(self.at).number(position).maybe(self.author, Row::id);
    }
}

/// As a Mac writes it: no two begin alike, so that their index is as wide as in use.
fn guid_text(guid: Uuid) -> String {
    guid.as_hyphenated().encode_upper(&mut Uuid::encode_buffer()).to_owned()
}

/// Where a conversation stands once all was said.
pub struct Standing {
    pub state: &'static str,
    pub assignee: Option<Uuid>,
    pub is_pinned: bool,
    pub snoozed_until: Option<i64>,
    /// Numbers of its labels.
    pub labels: Vec<usize>,
    /// Who has not read all of it.
    pub unread_by: Vec<Uuid>,
}

impl Standing {
    fn of(tenant: &Tenant, n: u64, stand: &Stand) -> Self {
        let mut dice = tenant.dice(Of::Stand, n);
        // what something was said in lately is more often worked on
        let is_late = stand.last_at > tenant.until - (tenant.until - tenant.since) / 10;
        let state = match dice.below(1000) {
            z if z < if is_late { 400 } else { 80 } => "active",
            z if z < 500 => "archived",
            _ => "closed",
        };
        let is_active = state == "active";
        let labels = (0..12).filter(|k| dice.below(10_000) < 2_000 >> k).collect();
        let is_waiting = is_active && !stand.is_answered;
        Self {
            state,
            assignee: dice.happens(if is_active { 600 } else { 250 }).then(|| dice.pick(&tenant.users)),
            is_pinned: dice.happens(2),
            snoozed_until: (is_active && dice.happens(10)).then_some(tenant.until + 30 * 24 * 60 * MINUTE),
            labels,
            unread_by: tenant
                .users
                .iter()
                .enumerate()
                .filter(|(u, _)| is_waiting && dice.happens(if *u == 0 { 500 } else { 50 }))
                .map(|(_, user)| *user)
                .collect(),
        }
    }
}

/// Its conversations, with labels, notes, and what each user has read.
pub async fn conversations(filling: &mut Filling<'_>, tenant: &Tenant, stands: &[Stand]) -> Result<()> {
    let mut copy = filling
        .copy(
            "copy crm.conversations (tenant_id, id, line_id, address, contact_id, chat_guid, service, last_message_at, created_at, state, snoozed_until,
               assignee_id, is_pinned, is_labelled, kind, name) from stdin",
            16,
        )
        .await?;
    for (n, stand) in (0_u64..).zip(stands) {
        let (traits, standing) = (tenant.traits(n), Standing::of(tenant, n, stand));
        let address = tenant.address(n, traits.is_group);
        let guid = format!(
            "{};{};{address}",
            if traits.service == "imessage" { "iMessage" } else { "SMS" },
            if traits.is_group { '+' } else { '-' }
        );
        let row = copy.row().await?.id(tenant.id).id(tenant.conversation_id(n)).id(traits.line).text(&address);
        let row = row.maybe(traits.has_contact.then(|| tenant.contact_id(n)), Row::id).text(&guid).text(traits.service);
        let row = row.at(stand.last_at).at(traits.begun).text(standing.state).maybe(standing.snoozed_until, Row::at);
        let row = row.maybe(standing.assignee, Row::id).fact(standing.is_pinned).fact(!standing.labels.is_empty());
        let row = row.text(if traits.is_group { "group" } else { "direct" });
        row.maybe(traits.is_group.then(|| format!("Grupo {n}")), |row, name| row.text(&name));
    }
    copy.end().await?;
    labels(filling, tenant, stands).await?;
    reading(filling, tenant, stands).await?;
    notes(filling, tenant, stands).await
}

async fn labels(filling: &mut Filling<'_>, tenant: &Tenant, stands: &[Stand]) -> Result<()> {
    let mut copy = filling
        .copy("copy crm.conversation_labels (tenant_id, conversation_id, label_id, last_message_at) from stdin", 4)
        .await?;
    for (n, stand) in (0_u64..).zip(stands) {
        for label in Standing::of(tenant, n, stand).labels {
            let row = copy.row().await?.id(tenant.id).id(tenant.conversation_id(n)).id(tenant.labels[label]);
            row.at(stand.last_at);
        }
    }
    copy.end().await.map(drop)
}

/// Whoever has it has read it; those for whom something is new had read what came before.
async fn reading(filling: &mut Filling<'_>, tenant: &Tenant, stands: &[Stand]) -> Result<()> {
    let mut copy = filling.copy("copy crm.reads (tenant_id, user_id, conversation_id, position) from stdin", 4).await?;
    for (n, stand) in (0_u64..).zip(stands) {
        let standing = Standing::of(tenant, n, stand);
        for user in &standing.unread_by {
            copy.row().await?.id(tenant.id).id(*user).id(tenant.conversation_id(n)).number(stand.came_in[0]);
        }
        if let Some(user) = standing.assignee.filter(|user| !standing.unread_by.contains(user)) {
            copy.row().await?.id(tenant.id).id(user).id(tenant.conversation_id(n)).number(stand.came_in[1]);
        }
    }
    copy.end().await?;
    let mut copy =
        filling.copy("copy crm.unreads (tenant_id, user_id, conversation_id, assignee_id) from stdin", 4).await?;
    for (n, stand) in (0_u64..).zip(stands) {
        let standing = Standing::of(tenant, n, stand);
        for user in &standing.unread_by {
            let row = copy.row().await?.id(tenant.id).id(*user).id(tenant.conversation_id(n));
            row.maybe(standing.assignee, Row::id);
        }
    }
    copy.end().await.map(drop)
}

async fn notes(filling: &mut Filling<'_>, tenant: &Tenant, stands: &[Stand]) -> Result<()> {
    let mut copy = filling
        .copy("copy crm.notes (tenant_id, id, conversation_id, author_id, body, created_at) from stdin", 6)
        .await?;
    let mut body = String::new();
    for (n, stand) in (0_u64..).zip(stands) {
        let mut dice = tenant.dice(Of::Note, n);
        if dice.happens(50) {
            words::write(&mut body, &mut dice);
            let row = copy.row().await?.id(tenant.id).id(id(stand.last_at, &mut dice)).id(tenant.conversation_id(n));
            row.id(dice.pick(&tenant.users)).text(&body).at(stand.last_at + MINUTE);
        }
    }
    copy.end().await?;
    let mut copy = filling
        .copy("copy crm.suppressions (tenant_id, address, reason, source, created_by, created_at) from stdin", 6)
        .await?;
    for n in (0..tenant.conversations).filter(|n| !tenant.traits(*n).is_group) {
        if tenant.dice(Of::Stand, n).roll().is_multiple_of(97) {
            let row = copy.row().await?.id(tenant.id).text(&tenant.address(n, false)).text("opted_out").text("keyword");
            row.text("seeding").at(tenant.until);
        }
    }
    copy.end().await.map(drop)
}
