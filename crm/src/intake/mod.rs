//! What API clients put into the queue: jobs of public kinds, many a request with an answer per row, and batches of them. Everything that is accepted
//! is accepted in one transaction.

pub mod batches;
mod kinds;
mod rows;
mod singles;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

use chrono::{DateTime, Utc};
use db::{Id, Scope, TenantTx};
use jobs::{Enqueue, Enqueued, KeyScope, Row, UniqueKey};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

pub use kinds::{PublicKind, PublicPayload, SendTextPayload, SweepPayload};
pub use rows::{Answer, MOST_ROWS, NewJob, Refusal, RowAnswer};
pub use singles::{Answered, Singles};

use crate::{
    App, Error,
    access::Permissions,
    contacts::{home_region, stored_region, suppressions},
    messaging::{
        lines::{self, LineId},
        media,
        send::{self, Draft, SendMessage},
        sweep::Sweep,
    },
    phone::Region,
    queue,
    tenancy::{plans, settings::Key},
};
use rows::Taken;

/// A client's key keeps others away for so long, whatever becomes of the job.
const KEY_HOLDS: Duration = Duration::from_secs(7 * 24 * 3600);

/// Batches that the rows of one request name at most.
const MOST_BATCHES: usize = 20;

/// What became of each row of a request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct JobsMade {
    /// One answer a row, in their order.
    pub jobs: Vec<RowAnswer>,
}

/// Enqueues what can be; answers one result a row, in their order. Over quota nothing is enqueued at all.
pub async fn enqueue(tx: &mut TenantTx, permissions: Permissions, rows: &[Value]) -> Result<JobsMade, Error> {
    if rows.is_empty() || rows.len() > MOST_ROWS {
        return Err(Error::invalid("jobs", "rows_count", format!("a request has 1 to {MOST_ROWS} rows")));
    }
    let taken: Vec<Result<Taken, Refusal>> =
        rows.iter().enumerate().map(|(index, row)| rows::take(index, row, permissions, tx.now())).collect();
    let batches: BTreeSet<i64> = taken.iter().flatten().filter_map(|row| row.batch_id).collect();
    if batches.len() > MOST_BATCHES {
        return Err(Error::invalid("jobs", "batches_count", format!("a request names {MOST_BATCHES} batches at most")));
    }
    let answers = enqueue_taken(tx, taken).await?.into_iter().enumerate();
    Ok(JobsMade { jobs: answers.map(|(index, answer)| RowAnswer { index, answer }).collect() })
}

/// Enqueues the rows that are well-formed, of one request or of several; answers one result a row, in their order.
async fn enqueue_taken(tx: &mut TenantTx, rows: Vec<Result<Taken, Refusal>>) -> Result<Vec<Answer>, Error> {
    let mut answers: Vec<Option<Answer>> = vec![None; rows.len()];
    let mut taken = Vec::new();
    for (index, row) in rows.into_iter().enumerate() {
        match row {
            // its place among these rows, whatever its place in its request
            Ok(row) => taken.push(Taken { index, ..row }),
            Err(refusal) => answers[index] = Some(Answer::Refused(refusal)),
        }
    }
    let known = Known::read(tx, &taken).await?;
    let mut sends: BTreeMap<Group, Vec<Send>> = BTreeMap::new();
    let mut sweeps: BTreeMap<(Option<i64>, i16), Vec<Swept>> = BTreeMap::new();
    for row in taken {
        let index = row.index;
        match known.place(row) {
            Ok(Placed::Send(group, send)) => sends.entry(group).or_default().push(send),
            Ok(Placed::Sweep(group, swept)) => sweeps.entry(group).or_default().push(swept),
            Err(refusal) => answers[index] = Some(Answer::Refused(refusal)),
        }
    }
    let count: usize = sends.values().map(Vec::len).sum();
    if count > 0 {
        plans::admit_messages(tx, count).await?;
    }
    for (group, sends) in sends {
        for (index, answer) in enqueue_sends(tx, &known, group, sends).await? {
            answers[index] = Some(answer);
        }
    }
    for ((batch, priority), swept) in sweeps {
        let mut occasion = Enqueue::<App, Sweep>::new().priority(priority).counted();
        if let Some(batch) = batch {
            occasion = occasion.batch(batch);
        }
        let rows: Vec<Row<'_, Sweep>> =
            swept.iter().map(|row| Row { job: &row.job, run_at: row.run_at, key: None }).collect();
        let enqueued = occasion.each(tx, &rows, KeyScope::UntilStarted).await?;
        for (row, enqueued) in swept.iter().zip(enqueued) {
            answers[row.index] = Some(answer(enqueued));
        }
    }
    let lost = || Answer::Refused(Refusal::new("internal", "this row was not handled"));
    Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(lost)).collect())
}

const fn answer(enqueued: Enqueued) -> Answer {
    match enqueued {
        Enqueued::Created(id) => Answer::Enqueued { id },
        Enqueued::Duplicate(id) => Answer::Duplicate { id },
    }
}

/// Sends that one statement enqueues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    line_id: Uuid,
    batch_id: Option<i64>,
    priority: i16,
    is_keyed: bool,
}

struct Send {
    index: usize,
    job: SendMessage,
    run_at: Option<DateTime<Utc>>,
    key: Option<UniqueKey>,
    draft: Draft,
}

struct Swept {
    index: usize,
    job: Sweep,
    run_at: Option<DateTime<Utc>>,
}

enum Placed {
    Send(Group, Send),
    Sweep((Option<i64>, i16), Swept),
}

/// What rows refer to, read once for all of them.
struct Known {
    lines: HashMap<Uuid, i64>,
    batches: HashMap<i64, Result<(), Refusal>>,
    /// Addresses as they came, by the region that their line reads them in: how messages carry them, or why they are none.
    addresses: HashMap<Region, HashMap<String, Result<String, Refusal>>>,
    regions: Regions,
    suppressed: HashSet<String>,
    /// Files that may be sent.
    media: HashSet<Uuid>,
}

/// In which region a line reads numbers without a country code.
struct Regions {
    /// The tenant's.
    home: Region,
    /// Those of lines whose organization has set another.
    own: HashMap<Uuid, Region>,
}

impl Regions {
    fn of(&self, line_id: Uuid) -> Region {
        self.own.get(&line_id).copied().unwrap_or(self.home)
    }
}

impl Known {
    async fn read(tx: &mut TenantTx, rows: &[Taken]) -> Result<Self, Error> {
        let wanted: BTreeSet<Uuid> = rows.iter().map(|row| row.line_id()).collect();
        let gates: Vec<(Uuid, i64, Option<String>)> = sqlx::query_as(
            "select l.id, g.id, s.value #>> '{}' from crm.lines l join jobs.gates g on g.tenant_number = app.tenant_number() and g.key = 'line/' || l.id
               left join crm.settings s on s.tenant_id = l.tenant_id and s.organization_id = l.organization_id and s.key = $2
              where l.tenant_id = app.tenant_id() and l.id = any($1)",
        )
        .bind(wanted.into_iter().collect::<Vec<_>>())
        .bind(Key::LocaleRegion.name())
        .fetch_all(tx.conn())
        .await?;
        let mut batches = HashMap::new();
        let named: BTreeSet<i64> = rows.iter().filter_map(|row| row.batch_id).collect();
        // in the order of their ids, so that two requests do not wait for one another
        for batch in named {
            jobs::batch::share(tx, batch).await?;
            batches.insert(batch, batches::admit(tx, batch).await?);
        }
        let mut regions = Regions { home: home_region(tx).await?, own: HashMap::new() };
        for (line_id, _, region) in &gates {
            if let Some(region) = region {
                regions.own.insert(*line_id, stored_region(region)?);
            }
        }
        let mut addresses: HashMap<Region, HashMap<String, Result<String, Refusal>>> = HashMap::new();
        for row in rows {
            if let PublicPayload::SendText(payload) = &row.payload {
                let region = regions.of(payload.line_id);
                addresses.entry(region).or_default().entry(payload.address.clone()).or_insert_with(|| {
                    suppressions::normalise_in(&payload.address, region)
                        .map_err(|error| Refusal::at(error.code(), error.to_string(), "/payload/address"))
                });
            }
        }
        let known = addresses.values().flat_map(HashMap::values);
        let normal: Vec<&str> = known.filter_map(|address| address.as_deref().ok()).collect();
        let suppressed = suppressions::among(tx, &normal).await?;
        let named = rows.iter().flat_map(|row| match &row.payload {
            PublicPayload::SendText(payload) => payload.media_ids.as_slice(),
            PublicPayload::Sweep(_) => &[],
        });
        let media = media::upload::unsent(tx, &named.copied().collect::<Vec<_>>()).await?;
        let lines = gates.into_iter().map(|(line_id, gate, _)| (line_id, gate)).collect();
        Ok(Self { lines, batches, addresses, regions, suppressed, media })
    }

    fn place(&self, row: Taken) -> Result<Placed, Refusal> {
        let line_id = row.line_id();
        if !self.lines.contains_key(&line_id) {
            return Err(Refusal::at("line_not_found", "there is no such line", "/payload/line_id"));
        }
        if let Some(batch) = row.batch_id
            && let Some(Err(refusal)) = self.batches.get(&batch)
        {
            return Err(refusal.clone());
        }
        let Taken { index, payload, run_at, priority, unique_key, batch_id, .. } = row;
        let payload = match payload {
            PublicPayload::Sweep(_) => {
                let job = Sweep { line_id: LineId::from(line_id) };
                return Ok(Placed::Sweep((batch_id, priority), Swept { index, job, run_at }));
            }
            PublicPayload::SendText(payload) => payload,
        };
        let of_region = self.addresses.get(&self.regions.of(line_id));
        let address = match of_region.and_then(|known| known.get(&payload.address)) {
            Some(Ok(address)) => address.clone(),
            Some(Err(refusal)) => return Err(refusal.clone()),
            None => return Err(Refusal::at("address_invalid", "this is no address", "/payload/address")),
        };
        if self.suppressed.contains(&address) {
            let detail = "nobody may write to this address";
            return Err(Refusal::at("suppressed", detail, "/payload/address"));
        }
        if !payload.media_ids.iter().all(|id| self.media.contains(id)) {
            let detail = "a file is missing, or belongs to another message";
            return Err(Refusal::at("media_not_found", detail, "/payload/media_ids"));
        }
        let message_id = Id::<Draft>::new().uuid();
        let group = Group { line_id, batch_id, priority, is_keyed: unique_key.is_some() };
        // apart from the kind's own keys, which are ids
        let key = unique_key.map(|key| UniqueKey::from(format!("api/{key}").as_str()));
        let draft = Draft { message_id, line_id, address, text: payload.text, media: payload.media_ids };
        Ok(Placed::Send(group, Send { index, job: SendMessage { message_id }, run_at, key, draft }))
    }
}

impl Taken {
    const fn line_id(&self) -> Uuid {
        match &self.payload {
            PublicPayload::SendText(payload) => payload.line_id,
            PublicPayload::Sweep(payload) => payload.line_id,
        }
    }
}

/// The jobs first: a duplicate has no message of its own.
async fn enqueue_sends(
    tx: &mut TenantTx,
    known: &Known,
    group: Group,
    sends: Vec<Send>,
) -> Result<Vec<(usize, Answer)>, Error> {
    let line = LineId::from(group.line_id);
    let gate = known.lines.get(&group.line_id).copied();
    // bulk work of the line, behind what people write; a batch has a lane of its own on each line
    let lane = match group.batch_id {
        Some(batch) => format!("batch/{batch}/{}", lines::gate_key(line)),
        None => format!("{}/api", lines::gate_key(line)),
    };
    jobs::lane::ensure(tx, queue::OUTBOUND, &lane, 1, gate.as_slice(), group.batch_id).await?;
    let mut occasion = Enqueue::<App, SendMessage>::new().lane(lane).priority(group.priority).counted();
    if let Some(batch) = group.batch_id {
        occasion = occasion.batch(batch);
    }
    let rows: Vec<Row<'_, SendMessage>> =
        sends.iter().map(|send| Row { job: &send.job, run_at: send.run_at, key: send.key.clone() }).collect();
    let enqueued = occasion.each(tx, &rows, KeyScope::For(KEY_HOLDS)).await?;
    let mut answers = Vec::with_capacity(sends.len());
    let mut drafts = Vec::new();
    for (send, enqueued) in sends.into_iter().zip(enqueued) {
        answers.push((send.index, answer(enqueued)));
        if matches!(enqueued, Enqueued::Created(_)) {
            drafts.push(send.draft);
        }
    }
    if !drafts.is_empty() {
        send::store(tx, &drafts).await?;
        for draft in &drafts {
            media::upload::attach(tx, draft.message_id, &draft.media).await?;
        }
    }
    Ok(answers)
}
