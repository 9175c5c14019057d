//! Which role somebody has: a built-in one, or one of the tenant's own.

use std::{fmt, str::FromStr, sync::Arc};

use db::Id;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema},
};
use uuid::Uuid;

use super::{
    permission::{Permission, Permissions},
    roles::RoleId,
    sight::Sight,
    users::UserId,
};

/// A built-in role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// May do everything.
    Owner,
    /// Everything but the money.
    Admin,
    /// Leads agents: sees and moves everybody's work.
    Supervisor,
    /// Answers people.
    Agent,
    /// Imports contacts and runs campaigns.
    Marketing,
    /// Sees and pays invoices.
    Billing,
    /// Looks and changes nothing.
    ReadOnly,
}

impl Role {
    /// Every role there is.
    pub const ALL: [Self; 7] =
        [Self::Owner, Self::Admin, Self::Supervisor, Self::Agent, Self::Marketing, Self::Billing, Self::ReadOnly];

    /// As it is stored and sent.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Supervisor => "supervisor",
            Self::Agent => "agent",
            Self::Marketing => "marketing",
            Self::Billing => "billing",
            Self::ReadOnly => "read_only",
        }
    }

    /// What somebody of this role may do.
    #[must_use]
    pub fn permissions(self) -> Permissions {
        Permission::ALL.iter().copied().filter(|permission| self.grants(*permission)).collect()
    }

    /// Whether this role grants that permission: one table, so that a new permission has to be decided for each role.
    fn grants(self, permission: Permission) -> bool {
        use Permission as P;
        if self == Self::Owner {
            return true;
        }
        let roles: &[Self] = match permission {
            P::ConversationsView | P::ContactsView | P::ConsentView | P::TemplatesView => {
                &[Self::Admin, Self::Supervisor, Self::Agent, Self::Marketing, Self::ReadOnly]
            }
            P::ConversationsReply | P::ConversationsNote | P::ConversationsChangeState => {
                &[Self::Admin, Self::Supervisor, Self::Agent]
            }
            P::ConversationsAssign
            | P::ConversationsPinShared
            | P::ConversationsDeleteMessage
            | P::ConversationsExport
            | P::ConversationsManageFilters
            | P::ContactsMerge
            | P::CalendarManageAny
            | P::AiViewTraces => &[Self::Admin, Self::Supervisor],
            P::ContactsCreate | P::ContactsEdit | P::ConsentOptOut | P::MediaUpload | P::AiUse => {
                &[Self::Admin, Self::Supervisor, Self::Agent, Self::Marketing]
            }
            P::ContactsDelete | P::ContactsImport | P::ContactsExport | P::ContactsBulkMove | P::MediaDelete => {
                &[Self::Admin, Self::Supervisor, Self::Marketing]
            }
            P::CampaignsView | P::CampaignsViewAnalytics => {
                &[Self::Admin, Self::Supervisor, Self::Marketing, Self::ReadOnly]
            }
            P::CampaignsCreate
            | P::CampaignsEdit
            | P::CampaignsLaunch
            | P::CampaignsPauseResume
            | P::CampaignsCancel
            | P::CampaignsTestSend
            | P::TemplatesManage => &[Self::Admin, Self::Marketing],
            P::CalendarView => &[Self::Admin, Self::Supervisor, Self::Agent, Self::ReadOnly],
            P::CalendarBook | P::CalendarConnectGoogle => &[Self::Admin, Self::Supervisor, Self::Agent],
            P::BillingView | P::BillingManageSubscription | P::BillingManagePaymentMethods | P::BillingRefund => {
                &[Self::Billing]
            }
            P::AdminUsersView => &[Self::Admin, Self::Supervisor],
            P::AdminSettingsView => &[Self::Admin, Self::ReadOnly],
            P::ConsentOptInOverride
            | P::AiConfigure
            | P::AiToolsManage
            | P::CalendarConfigure
            | P::AdminUsersManage
            | P::AdminRolesManage
            | P::AdminSettingsManage
            | P::AdminChannelsManage
            | P::AdminApiKeysManage
            | P::AdminWebhooksManage
            | P::AdminAuditView => &[Self::Admin],
        };
        roles.contains(&self)
    }
}

/// The role that somebody has; as text the code of a built-in one, or the id of one of the tenant's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// A built-in one.
    BuiltIn(Role),
    /// One of the tenant's own.
    Own(RoleId),
}

impl Held {
    /// What stands in `crm.users.role`.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::BuiltIn(role) => role.code(),
            Self::Own(_) => "custom",
        }
    }
    /// What stands in `crm.users.role_id`.
    pub(super) const fn own(self) -> Option<RoleId> {
        match self {
            Self::BuiltIn(_) => None,
            Self::Own(id) => Some(id),
        }
    }
}
impl From<Role> for Held {
    fn from(role: Role) -> Self {
        Self::BuiltIn(role)
    }
}
impl PartialEq<Role> for Held {
    fn eq(&self, other: &Role) -> bool {
        *self == Self::BuiltIn(*other)
    }
}
impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(role) => f.write_str(role.code()),
            Self::Own(id) => id.fmt(f),
        }
    }
}

/// A text that is no role.
#[derive(Debug, thiserror::Error)]
#[error("there is no role of that name or id")]
pub struct UnknownRole;

impl FromStr for Held {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        match Role::ALL.into_iter().find(|role| role.code() == text) {
            Some(role) => Ok(role.into()),
            None => Uuid::parse_str(text).map(|id| Self::Own(Id::from(id))).map_err(|_| UnknownRole),
        }
    }
}
impl TryFrom<String> for Held {
    type Error = UnknownRole;
    fn try_from(text: String) -> Result<Self, UnknownRole> {
        text.parse()
    }
}
impl Serialize for Held {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Held {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
impl PartialSchema for Held {
    fn schema() -> RefOr<Schema> {
        let codes = Role::ALL.map(Role::code).join(", ");
        let says = format!("A built-in role ({codes}), or the id of one of the account's own.");
        ObjectBuilder::new().schema_type(schema::Type::String).description(Some(says)).into()
    }
}
impl ToSchema for Held {
    fn name() -> std::borrow::Cow<'static, str> {
        "RoleHeld".into()
    }
}

/// What a user's row says of what they may do: their role, what it grants where it is the tenant's own, and who is in their teams.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Granted {
    #[sqlx(try_from = "String")]
    role: Held,
    role_permissions: Option<Vec<String>>,
    mates: Vec<Uuid>,
}
impl Granted {
    /// Who is in a team with them, as far as that matters.
    pub(super) fn mates(&self) -> Arc<[Uuid]> {
        Arc::from(&self.mates[..])
    }
    /// Which conversations they see.
    pub(crate) fn sight(&self, user_id: UserId) -> Sight {
        Sight::by(self.permissions(), Permission::ConversationsView, user_id, &self.mates())
    }
    pub(crate) fn permissions(&self) -> Permissions {
        match self.role {
            Held::BuiltIn(role) => role.permissions(),
            Held::Own(_) => Permissions::from_names(self.role_permissions.as_deref().unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_read_as_it_is_written() {
        for role in Role::ALL {
            assert_eq!(role.code().parse::<Held>().unwrap(), role);
        }
        let own = Held::Own(RoleId::new());
        assert_eq!(own.to_string().parse::<Held>().unwrap(), own);
        assert!("custom".parse::<Held>().is_err() && "".parse::<Held>().is_err());
    }

    #[test]
    fn the_owner_may_do_everything_and_a_reader_changes_nothing() {
        assert_eq!(Role::Owner.permissions(), Permissions::all());
        let reads = |permission: Permission| permission.name().contains("view");
        assert!(Role::ReadOnly.permissions().iter().all(reads));
        assert!(!Role::Agent.permissions().contains(Permission::CampaignsLaunch));
        assert!(Role::Marketing.permissions().contains(Permission::ContactsImport));
        assert!(Role::ALL.iter().all(|role| role.permissions() != Permissions::NONE));
    }
}
