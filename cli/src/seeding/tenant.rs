//! What one tenant of a seeding is: its people, its lines, and the traits of each conversation, known by its number.

use super::dice::Dice;
use super::words;
use uuid::Uuid;

const AREAS: &[&str] = &[
    "305", "786", "212", "917", "213", "310", "512", "713", "702", "480", "404", "312", "617", "206", "303", "615",
    "919", "503", "816", "210",
];
const SERVICES: &[&str] =
    &["imessage", "imessage", "imessage", "imessage", "imessage", "imessage", "imessage", "sms", "sms", "sms"];

/// What a number is drawn for: things of one kind never share dice with those of another.
#[derive(Debug, Clone, Copy)]
pub enum Of {
    Tenant = 1,
    User,
    Line,
    Label,
    Traits,
    Contact,
    Conversation,
    Message,
    Choice,
    Text,
    Guid,
    Stand,
    Note,
}

/// A tenant that is being made.
#[derive(Debug)]
pub struct Tenant {
    pub seed: u64,
    pub number: u32,
    pub id: Uuid,
    pub conversations: u64,
    pub messages: u64,
    /// The first and the last moment, in microseconds since 1970.
    pub since: i64,
    pub until: i64,
    /// The owner first.
    pub users: Vec<Uuid>,
    pub lines: Vec<Uuid>,
    pub labels: Vec<Uuid>,
}

/// What a conversation is from its beginning on.
#[derive(Debug, Clone, Copy)]
pub struct Traits {
    pub is_group: bool,
    pub has_contact: bool,
    pub service: &'static str,
    pub line: Uuid,
    pub begun: i64,
}

/// How far a conversation has come while its messages are written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stand {
    pub last_at: i64,
    /// The places of the last two that came in, 0 where there were none.
    pub came_in: [i64; 2],
    pub is_answered: bool,
}

impl Tenant {
    pub fn new(seed: u64, number: u32, (conversations, messages): (u64, u64), (since, until): (i64, i64)) -> Self {
        let id_of = |kind: Of, of: u64| id(since, &mut Dice::of(seed, kind as u64, number, of));
        let (users, lines) = ((conversations / 4_000).clamp(2, 24), (conversations / 50_000).clamp(1, 8));
        Self {
            seed,
            number,
            id: id_of(Of::Tenant, 0),
            conversations,
            messages,
            since,
            until,
            users: (0..users).map(|n| id_of(Of::User, n)).collect(),
            lines: (0..lines).map(|n| id_of(Of::Line, n)).collect(),
            labels: (0..12).map(|n| id_of(Of::Label, n)).collect(),
        }
    }

    pub fn slug(&self) -> String {
        format!("seed-{}-{}", self.seed, self.number)
    }

    pub fn dice(&self, kind: Of, of: u64) -> Dice {
        Dice::of(self.seed, kind as u64, self.number, of)
    }

    /// The message with which a conversation begins.
    pub fn first_message(&self, conversation: u64) -> u64 {
        (conversation * self.messages).div_ceil(self.conversations)
    }

    /// When a message was written: evenly over the time, in the order of their numbers.
    pub fn at(&self, message: u64) -> i64 {
        let span = i128::from(self.until - self.since);
        let part = span * i128::from(message) / i128::from(self.messages.max(1));
        self.since + i64::try_from(part).unwrap_or(0)
    }

    pub fn traits(&self, conversation: u64) -> Traits {
        let mut dice = self.dice(Of::Traits, conversation);
        let is_group = dice.happens(20);
        Traits {
            is_group,
            has_contact: !is_group && dice.happens(850),
            service: if dice.happens(10) { "rcs" } else { dice.pick(SERVICES) },
            // the first line has most
            line: dice.lean(&self.lines),
            begun: self.at(self.first_message(conversation)),
        }
    }

    pub fn conversation_id(&self, conversation: u64) -> Uuid {
        id(self.at(self.first_message(conversation)), &mut self.dice(Of::Conversation, conversation))
    }

    pub fn message_id(&self, message: u64) -> Uuid {
        id(self.at(message), &mut self.dice(Of::Message, message))
    }

    pub fn contact_id(&self, contact: u64) -> Uuid {
        let begun = self.first_message(contact.min(self.conversations));
        id(self.at(begun), &mut self.dice(Of::Contact, contact))
    }

    /// The other side of a conversation: no two have the same.
    pub fn address(&self, conversation: u64, is_group: bool) -> String {
        if is_group {
            return format!("chat{}", 700_000_000_000_u64 + conversation);
        }
        let area = AREAS[usize::try_from(conversation % 20).unwrap_or(0)];
        // 7919 and ten million have no divisor in common, so that each comes once
        format!("+1{area}{:07}", (conversation * 7_919 + u64::from(self.number) * 104_729) % 10_000_000)
    }

    /// Which conversation a message belongs to: each begins in its turn; else it is one of those that go on at the time, or an old acquaintance.
    pub fn conversation_of(&self, message: u64) -> u64 {
        let newest = (message * self.conversations / self.messages).min(self.conversations - 1);
        if self.first_message(newest) == message {
            return newest;
        }
        let mut dice = self.dice(Of::Choice, message);
        if dice.happens(600) {
            let lately = (self.conversations / 50 + 1).min(newest + 1);
            return newest - dice.below(lately);
        }
        ((newest + 1) as f64 * dice.share().powi(2)) as u64
    }
}

/// An id as those that are made at that time.
pub fn id(at: i64, dice: &mut Dice) -> Uuid {
    let ms = u64::try_from(at / 1_000).unwrap_or(0);
    let mut random = [0; 10];
    random.copy_from_slice(&dice.wide().to_be_bytes()[..10]);
    uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid()
}

/// A person's names.
pub fn names(dice: &mut Dice) -> (&'static str, &'static str) {
    (dice.lean(words::FIRST), dice.lean(words::LAST))
}

/// How many conversations each tenant has: the first as many as were asked for, the others less and less.
pub fn sizes(conversations: u64, tenants: u32, largest: u64) -> Vec<u64> {
    if tenants == 1 {
        return vec![conversations];
    }
    let rest = conversations - largest;
    let weight = |n: u32| 1.0 / f64::from(n + 4);
    let all: f64 = (1..tenants).map(weight).sum();
    let mut sizes = vec![largest];
    sizes.extend((1..tenants).map(|n| ((rest as f64 * weight(n) / all) as u64).max(1)));
    let others: u64 = sizes.iter().skip(1).sum();
    // what rounding left, or took too much
    sizes[1] = (sizes[1] + rest).saturating_sub(others).max(1);
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn tenant() -> Tenant {
        Tenant::new(1, 3, (1_000, 9_500), (1_700_000_000_000_000, 1_760_000_000_000_000))
    }

    #[test]
    fn each_conversation_begins_with_a_message_of_its_own_and_none_comes_before() {
        let tenant = tenant();
        let mut seen = HashSet::new();
        for message in 0..tenant.messages {
            let conversation = tenant.conversation_of(message);
            assert_eq!(seen.insert(conversation), tenant.first_message(conversation) == message, "{message}");
            assert!(tenant.traits(conversation).begun <= tenant.at(message));
        }
        assert_eq!(seen.len(), 1_000);
    }

    #[test]
    fn no_two_have_the_same_address_or_id() {
        let tenant = tenant();
        let addresses: HashSet<String> = (0..100_000).map(|n| tenant.address(n, false)).collect();
        assert_eq!(addresses.len(), 100_000);
        let ids: HashSet<Uuid> = (0..1_000).flat_map(|n| [tenant.conversation_id(n), tenant.contact_id(n)]).collect();
        assert_eq!(ids.len(), 2_000);
    }

    #[test]
    fn the_sizes_of_tenants_add_up() {
        for (conversations, tenants, largest) in [(1_000_000, 50, 500_000), (1_000, 50, 500), (10, 1, 10), (100, 2, 60)]
        {
            let sizes = sizes(conversations, tenants, largest);
            assert_eq!(sizes.len(), tenants as usize);
            assert_eq!((sizes[0], sizes.iter().sum::<u64>()), (largest, conversations));
        }
    }
}
