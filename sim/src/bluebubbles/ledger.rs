//! What really happened, for tests and demos to judge by: every message that left, every call that began, every request
//! that was not understood. Only ever written by the server itself.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::wire::upper;

const KEPT_CALLS: usize = 500_000;
const KEPT_UNEXPECTED: usize = 1_000;

/// One message that left the Mac. Times are the machine's clock, without `clock_offset_ms`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sent {
    /// Position in the log, from 1.
    pub seq: u64,
    /// The peer, or the identifier of a group.
    #[serde(serialize_with = "text")]
    pub address: Arc<str>,
    /// The text as requested.
    #[serde(serialize_with = "text")]
    pub text: Arc<str>,
    /// The caller's tempGuid.
    #[serde(serialize_with = "text_or_null")]
    pub temp_guid: Option<Arc<str>>,
    /// GUID of the message row.
    pub guid: String,
    /// The service it left on.
    pub service: &'static str,
    /// When it left.
    pub at_ms: i64,
    /// When the request that sent it began.
    pub call_started_at_ms: i64,
}

/// The sent log in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SentSummary {
    /// Messages that left.
    pub total: u64,
    /// Different addresses among them.
    pub distinct_addresses: u64,
    /// Different pairs of address and text.
    pub distinct_messages: u64,
    /// `total` less `distinct_messages`.
    pub duplicates: u64,
    /// Most sends ever in flight at once.
    pub max_in_flight: u64,
    /// Sends in flight now.
    pub in_flight: u64,
    /// When the first left.
    pub first_at_ms: Option<i64>,
    /// When the last left.
    pub last_at_ms: Option<i64>,
}

/// One request that began, in the order of arrival.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Call {
    /// Position in the log, from 1.
    pub seq: u64,
    /// HTTP method.
    #[serde(serialize_with = "text")]
    pub method: Arc<str>,
    /// Path without the query string.
    #[serde(serialize_with = "text")]
    pub path: Arc<str>,
    /// When it began.
    pub at_ms: i64,
    /// The tempGuid in its body.
    #[serde(serialize_with = "text_or_null")]
    pub temp_guid: Option<Arc<str>>,
    /// The address it is about, if it sends.
    #[serde(serialize_with = "text_or_null")]
    pub address: Option<Arc<str>>,
    /// The trace that it says it belongs to.
    #[serde(serialize_with = "text_or_null")]
    pub traceparent: Option<Arc<str>>,
}

/// One request the simulator does not know.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unexpected {
    /// HTTP method.
    pub method: String,
    /// Path without the query string.
    pub path: String,
    /// When it came.
    pub at_ms: i64,
    /// What was not understood.
    pub why: String,
}

/// Part of a log.
#[derive(Debug, Clone, Serialize)]
pub struct Page<T> {
    /// The entries after the one asked for.
    pub entries: Vec<T>,
    /// Pass as `after` to go on; absent at the end.
    pub next_after: Option<u64>,
    /// Entries there are in all.
    pub total: u64,
}

fn text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

fn text_or_null<S: Serializer>(text: &Option<Arc<str>>, serializer: S) -> Result<S::Ok, S::Error> {
    text.as_deref().serialize(serializer)
}

struct CompactSent {
    address: Arc<str>,
    text: Arc<str>,
    temp_guid: Option<Arc<str>>,
    guid: Uuid,
    service: &'static str,
    at_ms: i64,
    call_started_at_ms: i64,
}

#[derive(Default)]
pub(crate) struct Ledger {
    sent: Vec<CompactSent>,
    addresses: HashSet<Arc<str>>,
    messages: HashSet<(Arc<str>, Arc<str>)>,
    in_flight: u64,
    max_in_flight: u64,
    calls: VecDeque<Call>,
    call_count: u64,
    unexpected: VecDeque<Unexpected>,
    refused: u64,
}

/// What the ledger notes about a message that left.
pub(crate) struct Departure {
    pub address: Arc<str>,
    pub text: Arc<str>,
    pub temp_guid: Option<Arc<str>>,
    pub guid: Uuid,
    pub service: &'static str,
    pub at_ms: i64,
    pub call_started_at_ms: i64,
}

impl Ledger {
    pub fn note_sent(&mut self, sent: Departure) {
        let Departure { address, text, temp_guid, guid, service, at_ms, call_started_at_ms } = sent;
        self.addresses.insert(address.clone());
        self.messages.insert((address.clone(), text.clone()));
        self.sent.push(CompactSent { address, text, temp_guid, guid, service, at_ms, call_started_at_ms });
    }

    pub fn note_call(
        &mut self,
        method: Arc<str>,
        path: Arc<str>,
        at_ms: i64,
        who: (Option<Arc<str>>, Option<Arc<str>>),
        traceparent: Option<Arc<str>>,
    ) {
        self.call_count += 1;
        if self.calls.len() == KEPT_CALLS {
            self.calls.pop_front();
        }
        let (temp_guid, address) = who;
        self.calls.push_back(Call { seq: self.call_count, method, path, at_ms, temp_guid, address, traceparent });
    }

    pub fn note_unexpected(&mut self, method: &str, path: &str, at_ms: i64, why: &str) {
        if self.unexpected.len() == KEPT_UNEXPECTED {
            self.unexpected.pop_front();
        }
        self.unexpected.push_back(Unexpected { method: method.into(), path: path.into(), at_ms, why: why.into() });
    }

    pub fn note_refused(&mut self) {
        self.refused += 1;
    }

    pub fn refused(&self) -> u64 {
        self.refused
    }

    pub fn begin_send(&mut self) {
        self.in_flight += 1;
        self.max_in_flight = self.max_in_flight.max(self.in_flight);
    }

    pub fn end_send(&mut self) {
        // A reset in between has already forgotten the send.
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    pub fn summary(&self) -> SentSummary {
        let (total, distinct_messages) = (self.sent.len() as u64, self.messages.len() as u64);
        SentSummary {
            total,
            distinct_addresses: self.addresses.len() as u64,
            distinct_messages,
            duplicates: total - distinct_messages,
            max_in_flight: self.max_in_flight,
            in_flight: self.in_flight,
            first_at_ms: self.sent.first().map(|sent| sent.at_ms),
            last_at_ms: self.sent.last().map(|sent| sent.at_ms),
        }
    }

    pub fn sent_page(&self, after: u64, limit: usize) -> Page<Sent> {
        let total = self.sent.len() as u64;
        let start = after.min(total);
        let entries: Vec<Sent> = self.sent[start as usize..]
            .iter()
            .take(limit)
            .zip(start + 1..)
            .map(|(sent, seq)| Sent {
                seq,
                address: sent.address.clone(),
                text: sent.text.clone(),
                temp_guid: sent.temp_guid.clone(),
                guid: upper(sent.guid),
                service: sent.service,
                at_ms: sent.at_ms,
                call_started_at_ms: sent.call_started_at_ms,
            })
            .collect();
        let end = start + entries.len() as u64;
        Page { entries, next_after: (end < total).then_some(end), total }
    }

    /// Calls after `after`, only those to `path` if one is given.
    pub fn calls_page(&self, after: u64, limit: usize, path: Option<&str>) -> Page<Call> {
        let forgotten = self.call_count - self.calls.len() as u64;
        let skip = after.saturating_sub(forgotten) as usize;
        let wanted = |call: &&Call| path.is_none_or(|path| &*call.path == path);
        let mut entries: Vec<Call> =
            self.calls.iter().skip(skip).filter(wanted).take(limit.saturating_add(1)).cloned().collect();
        let more = entries.len() > limit;
        entries.truncate(limit);
        let next_after = entries.last().filter(|_| more).map(|call| call.seq);
        Page { entries, next_after, total: self.call_count }
    }

    pub fn unexpected(&self) -> Vec<Unexpected> {
        self.unexpected.iter().cloned().collect()
    }
}
