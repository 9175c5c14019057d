//! Whether those who listen still may: one look a process and interval for all of its sockets, however many there are. Tells each socket
//! only what has changed for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crm::{
    App,
    access::{self, Caller, Via},
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, MissedTickBehavior, interval},
};
use uuid::Uuid;

/// How often it is checked that whoever listens still may: well below the five seconds in which a revocation must tell.
pub const CHECK: Duration = Duration::from_millis(2500);
/// A look that takes longer is given up, so that the next one can be in time.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// What is told to those who were last looked at longer ago waits for the next look that succeeds: a revocation that could not be read tells all the same.
const FRESH: Duration = Duration::from_secs(5);

/// What somebody may do now; none: nobody is known by that any more.
pub type Verdict = watch::Receiver<Option<Caller>>;

/// Each one that listens, and what to tell it by.
type Known = HashMap<(Uuid, Via), watch::Sender<Option<Caller>>>;

/// Everybody who listens here, by what they are known.
#[derive(Clone)]
pub struct Watch {
    known: Arc<Mutex<Known>>,
    joined: Arc<Notify>,
    /// When the last look that succeeded was begun.
    checked: watch::Sender<Instant>,
}

impl Default for Watch {
    fn default() -> Self {
        Self { known: Arc::default(), joined: Arc::default(), checked: watch::Sender::new(Instant::now()) }
    }
}

impl Watch {
    /// Whether everybody who listens was looked at lately.
    pub fn was_checked(&self) -> bool {
        self.checked.borrow().elapsed() < FRESH
    }

    /// Waits until everybody who listens was looked at lately.
    pub async fn is_fresh(&self) {
        // there is no end of it without a sender, and this holds one
        let _ = self.checked.subscribe().wait_for(|at| at.elapsed() < FRESH).await;
    }

    /// Watches over somebody who has just been identified. Sockets of one session share what is found.
    pub fn over(&self, caller: &Caller) -> Verdict {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let sender =
            known.entry((caller.tenant_id, caller.via)).or_insert_with(|| watch::channel(Some(caller.clone())).0);
        // one that is shared may say what was so before, and two sockets may come in between two looks
        sender.send_if_modified(|now| now.as_ref() != Some(caller) && now.replace(caller.clone()).is_some());
        let verdict = sender.subscribe();
        drop(known);
        self.joined.notify_one();
        verdict
    }

    /// Looks at all of them again and again. A database that does not answer revokes nobody, and nobody is told anything until it does.
    pub async fn look(self, app: App) {
        let mut tick = interval(CHECK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let known = self.listening();
            if known.is_empty() {
                self.joined.notified().await;
                continue;
            }
            let begun = Instant::now();
            match db::within(ANSWERED_WITHIN, access::recheck(&app, &known)).await {
                Ok(found) => {
                    self.tell(&known, &found);
                    self.checked.send_replace(begun);
                }
                Err(error) => tracing::warn!(%error, "live: who listens could not be checked"),
            }
        }
    }

    /// Those who have a socket; the others are forgotten.
    fn listening(&self) -> Vec<(Uuid, Via)> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, sender| sender.receiver_count() > 0);
        known.keys().copied().collect()
    }

    /// Who joined since the look was taken is not in `asked`, and is left as they are.
    fn tell(&self, asked: &[(Uuid, Via)], found: &HashMap<Via, Caller>) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for who in asked {
            let Some(sender) = known.get(who) else { continue };
            let now = found.get(&who.1);
            sender.send_if_modified(|before| {
                let is_new = before.as_ref() != now;
                if is_new {
                    *before = now.cloned();
                }
                is_new
            });
        }
    }
}
