//! Everything one simulated Mac holds, and the small decisions that need several parts of it: the clock, the dice, which
//! failure a request meets, what is in flight.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::config::{Behaviour, Config, Rule, Scope};
use super::dispatch::{Pending, Queue};
use super::files::FormFile;
use super::ledger::Ledger;
use super::rows::Rows;
use super::webhooks::Webhooks;

/// Takes a lock whose holder cannot leave it half-written, so a panic elsewhere does not matter.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::disallowed_methods, reason = "the simulator stands for another machine, with a clock of its own")]
pub(crate) fn utc_now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

struct NextFailure {
    scope: Scope,
    behaviour: Behaviour,
    left: u32,
}

#[derive(Default)]
struct Faults {
    rules: HashMap<String, Rule>,
    next: VecDeque<NextFailure>,
}

pub(crate) struct State {
    initial: Config,
    config: RwLock<Arc<Config>>,
    /// Told whenever a knob is turned.
    turned: Notify,
    rng: Mutex<StdRng>,
    faults: Mutex<Faults>,
    temp_guids: Mutex<HashSet<Arc<str>>>,
    helper_free_at: tokio::sync::Mutex<Instant>,
    pub rows: Mutex<Rows>,
    /// Files laid ready for a message, by their path.
    pub staged: Mutex<HashMap<String, FormFile>>,
    pub ledger: Mutex<Ledger>,
    pub webhooks: RwLock<Webhooks>,
    pub queue: Arc<Queue>,
    pub closed: watch::Sender<bool>,
    /// Until when no connection is accepted.
    pub refuse_until: watch::Sender<Option<Instant>>,
}

impl State {
    pub fn new(config: Config) -> Arc<Self> {
        Arc::new(Self {
            rng: Mutex::new(StdRng::seed_from_u64(config.seed)),
            initial: config.clone(),
            config: RwLock::new(Arc::new(config)),
            turned: Notify::new(),
            faults: Mutex::default(),
            temp_guids: Mutex::default(),
            helper_free_at: tokio::sync::Mutex::new(Instant::now()),
            rows: Mutex::default(),
            staged: Mutex::default(),
            ledger: Mutex::default(),
            webhooks: RwLock::default(),
            queue: Arc::default(),
            closed: watch::Sender::new(false),
            refuse_until: watch::Sender::new(None),
        })
    }

    pub fn config(&self) -> Arc<Config> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_config(&self, config: Config) {
        let mut current = self.config.write().unwrap_or_else(PoisonError::into_inner);
        if current.seed != config.seed {
            *lock(&self.rng) = StdRng::seed_from_u64(config.seed);
        }
        *current = Arc::new(config);
        drop(current);
        self.turned.notify_waiters();
    }

    /// Forgets everything; webhooks stay if asked.
    pub fn reset(&self, keep_webhooks: bool) {
        *lock(&self.rng) = StdRng::seed_from_u64(self.initial.seed);
        self.set_config(self.initial.clone());
        *lock(&self.faults) = Faults::default();
        *lock(&self.rows) = Rows::default();
        *lock(&self.ledger) = Ledger::default();
        lock(&self.temp_guids).clear();
        if !keep_webhooks {
            *self.webhooks.write().unwrap_or_else(PoisonError::into_inner) = Webhooks::default();
        }
    }

    /// The machine's clock, as the logs use it.
    pub fn machine_ms(&self) -> i64 {
        utc_now().timestamp_millis()
    }

    /// The Mac's clock, as the wire uses it.
    pub fn now_ms(&self) -> i64 {
        self.machine_ms() + self.config().clock_offset_ms
    }

    /// True in `pct` of 100 cases. Certain outcomes leave the dice alone.
    pub fn chance(&self, pct: f64) -> bool {
        pct > 0.0 && (pct >= 100.0 || lock(&self.rng).random::<f64>() * 100.0 < pct)
    }

    /// A number from 0 to `max`.
    pub fn up_to(&self, max: u64) -> u64 {
        lock(&self.rng).random_range(0..=max)
    }

    /// Waits about this long; not at all for 0.
    pub async fn pause(&self, ms: u64) {
        if ms == 0 {
            return;
        }
        let jitter = self.config().jitter_pct;
        let factor =
            if jitter > 0.0 { 1.0 + (lock(&self.rng).random::<f64>() * 2.0 - 1.0) * jitter / 100.0 } else { 1.0 };
        tokio::time::sleep(Duration::from_millis((ms as f64 * factor).max(0.0) as u64)).await;
    }

    /// Waits while sends are held.
    pub async fn until_let_go(&self) {
        loop {
            let turned = self.turned.notified();
            if !self.config().hold_sends {
                return;
            }
            turned.await;
        }
    }

    /// As long as a modelled time-out takes.
    pub async fn stall(&self) {
        let ms = self.config().stall_ms;
        if ms > 0 {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
    }

    /// Waits for the helper's next write slot.
    pub async fn helper_slot(&self) {
        let gap = self.config().helper_gap_ms;
        if gap > 0 {
            let mut free_at = self.helper_free_at.lock().await;
            tokio::time::sleep_until(*free_at).await;
            *free_at = Instant::now() + Duration::from_millis(gap);
        }
    }

    /// Waits until the server stops.
    pub async fn until_closed(&self) {
        // The sender lives as long as the state, so waiting cannot fail.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }

    pub fn fail_next(&self, count: u32, behaviour: Behaviour, scope: Scope) {
        lock(&self.faults).next.push_back(NextFailure { scope, behaviour, left: count });
    }

    pub fn set_rule(&self, rule: Rule) {
        lock(&self.faults).rules.insert(rule.address.clone(), rule);
    }

    pub fn clear_rules(&self) {
        let mut faults = lock(&self.faults);
        faults.rules.clear();
        faults.next.clear();
    }

    pub fn rules(&self) -> Vec<Rule> {
        let mut rules: Vec<Rule> = lock(&self.faults).rules.values().cloned().collect();
        rules.sort_by(|a, b| a.address.cmp(&b.address));
        rules
    }

    pub fn rule(&self, address: &str) -> Option<Rule> {
        lock(&self.faults).rules.get(address).cloned()
    }

    /// Whether an address can be reached on iMessage.
    pub fn on_imessage(&self, address: &str) -> bool {
        let ruled = lock(&self.faults).rules.get(address).and_then(|rule| rule.imessage);
        ruled.unwrap_or_else(|| self.config().imessage_default)
    }

    fn next_failure(&self, is_send: bool) -> Option<Behaviour> {
        let mut faults = lock(&self.faults);
        let index = faults.next.iter().position(|next| next.scope.covers(is_send) && next.left > 0)?;
        let next = &mut faults.next[index];
        next.left -= 1;
        let behaviour = next.behaviour;
        if next.left == 0 {
            faults.next.remove(index);
        }
        Some(behaviour)
    }

    /// How a request that sends nothing ends.
    pub fn decide_read(&self) -> Behaviour {
        self.next_failure(false).unwrap_or_default()
    }

    /// How a send to this address ends: its rule, then injected failures, then the shares of the configuration.
    pub fn decide_send(&self, address: &str) -> Behaviour {
        if let Some(rule) = lock(&self.faults).rules.get_mut(address)
            && let Some(behaviour) = rule.behaviour
        {
            match &mut rule.times {
                None => return behaviour,
                Some(0) => {}
                Some(times) => {
                    *times -= 1;
                    return behaviour;
                }
            }
        }
        if let Some(behaviour) = self.next_failure(true) {
            return behaviour;
        }
        let config = self.config();
        if self.chance(config.drop_requests_pct) {
            Behaviour::DropBefore
        } else if self.chance(config.drop_answers_pct) {
            Behaviour::DropAfter
        } else if config.mode != Behaviour::Normal && self.chance(config.mode_pct) {
            config.mode
        } else {
            Behaviour::Normal
        }
    }

    /// Notes that a tempGuid is in flight; none if it already is.
    pub fn claim_temp_guid(self: &Arc<Self>, temp_guid: Option<Arc<str>>) -> Option<InFlight> {
        if let Some(temp_guid) = &temp_guid
            && !lock(&self.temp_guids).insert(temp_guid.clone())
        {
            return None;
        }
        Some(InFlight { state: self.clone(), temp_guid })
    }

    /// Queues an event for every webhook that wants it. `data` is only built if there is one.
    pub fn emit(&self, event: &str, build: impl FnOnce() -> bytes::Bytes) {
        let config = self.config();
        if config.offline {
            return;
        }
        let targets = self.webhooks.read().unwrap_or_else(PoisonError::into_inner).wanting(event);
        if targets.is_empty() {
            return;
        }
        let body = build();
        for target in targets {
            if self.chance(config.webhook_drop_pct) {
                self.queue.note_dropped();
                continue;
            }
            let copies = if self.chance(config.webhook_duplicate_pct) { 2 } else { 1 };
            for _ in 0..copies {
                let mut delay = 0;
                if config.webhook_delay_ms > 0 && self.chance(config.webhook_delay_pct) {
                    delay += config.webhook_delay_ms;
                }
                if self.chance(config.webhook_shuffle_pct) {
                    delay += self.up_to(config.webhook_shuffle_ms);
                }
                self.queue.post(target.clone(), body.clone(), delay);
            }
        }
    }

    /// Marks work that still goes on after its request was answered.
    pub fn pending(&self) -> Pending {
        Pending::new(&self.queue)
    }
}

/// A tempGuid in flight, until dropped.
pub(crate) struct InFlight {
    state: Arc<State>,
    temp_guid: Option<Arc<str>>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(temp_guid) = &self.temp_guid {
            lock(&self.state.temp_guids).remove(temp_guid);
        }
    }
}

/// A send in flight, until dropped.
pub(crate) struct Flight(Arc<State>);

impl Flight {
    pub fn begin(state: &Arc<State>) -> Self {
        lock(&state.ledger).begin_send();
        Self(state.clone())
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        lock(&self.0.ledger).end_send();
    }
}
