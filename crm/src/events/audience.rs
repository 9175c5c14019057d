//! What of an event somebody is told who sees a part of the conversations only: what is of those that they see at the moment it is told, and that one of
//! them is theirs no more. Events carry no word of what was said; that there is something is still nobody else's matter.

use std::collections::HashMap;

use db::{Scope, TenantTx};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Error,
    access::{Sight, Within},
};

/// Who has these conversations now; none has one that is not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holders(HashMap<Uuid, Option<Uuid>>);

impl Holders {
    /// Of one conversation, known already.
    #[must_use]
    pub fn of(conversation: Uuid, assignee: Option<Uuid>) -> Self {
        Self(HashMap::from([(conversation, assignee)]))
    }
    /// Reads them.
    pub async fn read<S: Scope>(tx: &mut S, tenant_id: Uuid, conversations: &[Uuid]) -> Result<Self, Error> {
        if conversations.is_empty() {
            return Ok(Self::default());
        }
        let rows: Vec<(Uuid, Option<Uuid>)> = sqlx::query_as(
            "select c.id, c.assignee_id from crm.conversations c where c.tenant_id = $1 and c.id = any($2)",
        )
        .bind(tenant_id)
        .bind(conversations)
        .fetch_all(tx.conn())
        .await?;
        Ok(Self(rows.into_iter().collect()))
    }
    fn are_seen(&self, within: &Within, conversation: Uuid) -> bool {
        self.0.get(&conversation).is_some_and(|assignee| within.covers(*assignee))
    }
}

/// The conversations that what an event tells is about; none: it is about something else.
#[must_use]
pub fn conversations(data: &Value) -> Vec<Uuid> {
    let items = data["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut ids: Vec<Uuid> = items.iter().chain([data]).filter_map(conversation).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn conversation(part: &Value) -> Option<Uuid> {
    part["conversation_id"].as_str()?.parse().ok()
}

/// How much of an event somebody is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// As it is.
    Whole,
    /// With these items alone.
    Part(Value),
    /// Not at all.
    Nothing,
}

/// How much of an event somebody of that sight is told. `former` had its conversation before; all zeros: nobody had it.
#[must_use]
pub fn told(data: &Value, former: Option<Uuid>, holders: &Holders, within: &Within) -> Told {
    let about = conversations(data);
    let had = former.is_some_and(|id| within.covers((!id.is_nil()).then_some(id)));
    let seen = about.iter().filter(|id| holders.are_seen(within, **id)).count();
    if seen == about.len() || had {
        return Told::Whole;
    }
    let items = data["items"].as_array().filter(|_| seen > 0);
    let Some(items) = items else { return Told::Nothing };
    let is_seen = |item: &&Value| conversation(item).is_some_and(|id| holders.are_seen(within, id));
    let mut part = data.clone();
    part["items"] = items.iter().filter(is_seen).cloned().collect();
    Told::Part(part)
}

/// Whether somebody of that sight may be told all of it, as things stand.
pub async fn sees(tx: &mut TenantTx, data: &Value, sight: &Sight) -> Result<bool, Error> {
    let Sight::Within(within) = sight else { return Ok(true) };
    let tenant_id = tx.tenant_id();
    let holders = Holders::read(tx, tenant_id, &conversations(data)).await?;
    Ok(told(data, None, &holders, within) == Told::Whole)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    const ME: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    fn own() -> Within {
        Within { users: Arc::from([ME]), with_unassigned: false }
    }

    #[test]
    fn what_is_of_no_conversation_is_for_all_and_what_is_of_one_for_who_sees_it() {
        let (mine, theirs) = (Uuid::now_v7(), Uuid::now_v7());
        let holders = Holders(HashMap::from([(mine, Some(ME)), (theirs, Some(OTHER))]));
        let tell = |data: Value, former| told(&data, former, &holders, &own());
        assert_eq!(tell(json!({ "label_id": mine }), None), Told::Whole);
        assert_eq!(tell(json!({ "conversation_id": mine }), None), Told::Whole);
        assert_eq!(tell(json!({ "conversation_id": theirs }), None), Told::Nothing);
        assert_eq!(tell(json!({ "conversation_id": Uuid::now_v7() }), None), Told::Nothing);
        // whoever had it hears that it is gone, and only they
        assert_eq!(tell(json!({ "conversation_id": theirs }), Some(ME)), Told::Whole);
        assert_eq!(tell(json!({ "conversation_id": theirs }), Some(OTHER)), Told::Nothing);
        assert_eq!(tell(json!({ "conversation_id": theirs }), Some(Uuid::nil())), Told::Nothing);
        let team = Within { with_unassigned: true, ..own() };
        let data = json!({ "conversation_id": theirs });
        assert_eq!(told(&data, Some(Uuid::nil()), &holders, &team), Told::Whole);
    }

    #[test]
    fn of_a_group_the_items_are_told_that_are_seen() {
        let (mine, theirs) = (Uuid::now_v7(), Uuid::now_v7());
        let holders = Holders(HashMap::from([(mine, Some(ME)), (theirs, None)]));
        let item = |id: Uuid| json!({ "message_id": Uuid::nil(), "conversation_id": id });
        let both = json!({ "items": [item(mine), item(theirs), item(mine)] });
        let part = Told::Part(json!({ "items": [item(mine), item(mine)] }));
        assert_eq!(told(&both, None, &holders, &own()), part);
        assert_eq!(told(&json!({ "items": [item(mine)] }), None, &holders, &own()), Told::Whole);
        assert_eq!(told(&json!({ "items": [item(theirs)] }), None, &holders, &own()), Told::Nothing);
        assert_eq!(conversations(&both).len(), 2);
    }
}
