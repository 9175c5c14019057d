//! Which conversations somebody sees: everybody's, or those of some people. Decided here for whoever asks, listens or is told; what a transaction
//! sees of them is the database's matter (0113).

use std::sync::Arc;

use uuid::Uuid;

use super::{
    permission::{Permission, Permissions, Scope},
    users::UserId,
};

/// Which conversations somebody sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// All of the tenant's.
    All,
    /// Some.
    Within(Within),
}

/// Those of some people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Within {
    /// Whose.
    pub users: Arc<[Uuid]>,
    /// Those that nobody has, too: a team takes its work from there, and they are no other team's yet.
    pub with_unassigned: bool,
}

impl Within {
    /// Whether a conversation is seen that somebody has, or nobody.
    #[must_use]
    pub fn covers(&self, assignee: Option<Uuid>) -> bool {
        match assignee {
            Some(id) => self.users.contains(&id),
            None => self.with_unassigned,
        }
    }
}

impl Sight {
    /// What a permission that reaches so far lets somebody see. `mates` are those of their teams.
    #[must_use]
    pub fn of(scope: Scope, user_id: UserId, mates: &Arc<[Uuid]>) -> Self {
        let own = || Arc::from([user_id.uuid()]);
        match scope {
            Scope::All => Self::All,
            Scope::Own => Self::Within(Within { users: own(), with_unassigned: false }),
            Scope::Team => {
                let users = if mates.is_empty() { own() } else { Arc::clone(mates) };
                Self::Within(Within { users, with_unassigned: true })
            }
        }
    }
    /// What somebody sees by these permissions, for what `permission` opens: as far as they may look, or act where they may not look at all.
    #[must_use]
    pub fn by(permissions: Permissions, permission: Permission, user_id: UserId, mates: &Arc<[Uuid]>) -> Self {
        let scope = permissions.scope(Permission::ConversationsView).or_else(|| permissions.scope(permission));
        Self::of(scope.unwrap_or(Scope::All), user_id, mates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(sight: &Sight, assignee: Option<Uuid>) -> bool {
        match sight {
            Sight::All => true,
            Sight::Within(within) => within.covers(assignee),
        }
    }

    #[test]
    fn own_is_what_i_have_and_a_team_s_is_that_of_its_members_and_of_nobody() {
        let (me, mate, other) = (UserId::new(), Uuid::now_v7(), Uuid::now_v7());
        let (mates, mine) = (Arc::from([me.uuid(), mate]), Some(me.uuid()));
        let own = Sight::of(Scope::Own, me, &mates);
        assert!(covers(&own, mine) && !covers(&own, Some(mate)) && !covers(&own, None));
        let team = Sight::of(Scope::Team, me, &mates);
        assert!(covers(&team, mine) && covers(&team, Some(mate)) && covers(&team, None) && !covers(&team, Some(other)));
        let alone = Sight::of(Scope::Team, me, &Arc::from([]));
        assert!(covers(&alone, mine) && !covers(&alone, Some(mate)));
        assert_eq!(Sight::of(Scope::All, me, &mates), Sight::All);
    }

    #[test]
    fn who_may_look_sees_as_far_as_that_and_who_may_only_act_as_far_as_they_may() {
        let (me, nobody) = (UserId::new(), Arc::from([]));
        let by = |permissions: &[(Permission, Scope)], permission| {
            Sight::by(permissions.iter().copied().collect(), permission, me, &nobody)
        };
        let (view, reply) = (Permission::ConversationsView, Permission::ConversationsReply);
        let own = Sight::of(Scope::Own, me, &nobody);
        assert_eq!(by(&[(view, Scope::Own), (reply, Scope::All)], reply), own);
        assert_eq!(by(&[(view, Scope::All), (reply, Scope::Own)], reply), Sight::All);
        assert_eq!(by(&[(reply, Scope::Own)], reply), own);
        assert_eq!(by(&[], Permission::TemplatesView), Sight::All);
    }
}
