//! The closed set of permissions. A name is the contract: roles, API keys, routes and screens use it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema},
};

/// Keeps variant, name and the list of all in one line each; three hand-written lists of 54 drift apart.
macro_rules! permissions {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// One thing that somebody may be allowed to do; named `group.action`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Permission {
            $(#[doc = concat!("`", $name, "`.")] $variant),+
        }
        impl Permission {
            /// All of them, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The name, `group.action`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

permissions! {
    ConversationsView = "conversations.view",
    ConversationsReply = "conversations.reply",
    ConversationsNote = "conversations.note",
    ConversationsAssign = "conversations.assign",
    ConversationsChangeState = "conversations.change_state",
    ConversationsPinShared = "conversations.pin_shared",
    ConversationsDeleteMessage = "conversations.delete_message",
    ConversationsExport = "conversations.export",
    ConversationsManageFilters = "conversations.manage_filters",
    ContactsView = "contacts.view",
    ContactsCreate = "contacts.create",
    ContactsEdit = "contacts.edit",
    ContactsDelete = "contacts.delete",
    ContactsMerge = "contacts.merge",
    ContactsImport = "contacts.import",
    ContactsExport = "contacts.export",
    ContactsBulkMove = "contacts.bulk_move",
    ConsentView = "consent.view",
    ConsentOptOut = "consent.opt_out",
    ConsentOptInOverride = "consent.opt_in_override",
    CampaignsView = "campaigns.view",
    CampaignsCreate = "campaigns.create",
    CampaignsEdit = "campaigns.edit",
    CampaignsLaunch = "campaigns.launch",
    CampaignsPauseResume = "campaigns.pause_resume",
    CampaignsCancel = "campaigns.cancel",
    CampaignsTestSend = "campaigns.test_send",
    CampaignsViewAnalytics = "campaigns.view_analytics",
    TemplatesView = "templates.view",
    TemplatesManage = "templates.manage",
    MediaUpload = "media.upload",
    MediaDelete = "media.delete",
    AiUse = "ai.use",
    AiConfigure = "ai.configure",
    AiToolsManage = "ai.tools_manage",
    AiViewTraces = "ai.view_traces",
    CalendarView = "calendar.view",
    CalendarBook = "calendar.book",
    CalendarManageAny = "calendar.manage_any",
    CalendarConfigure = "calendar.configure",
    CalendarConnectGoogle = "calendar.connect_google",
    BillingView = "billing.view",
    BillingManageSubscription = "billing.manage_subscription",
    BillingManagePaymentMethods = "billing.manage_payment_methods",
    BillingRefund = "billing.refund",
    AdminUsersView = "admin.users_view",
    AdminUsersManage = "admin.users_manage",
    AdminRolesManage = "admin.roles_manage",
    AdminSettingsView = "admin.settings_view",
    AdminSettingsManage = "admin.settings_manage",
    AdminChannelsManage = "admin.channels_manage",
    AdminApiKeysManage = "admin.api_keys_manage",
    AdminWebhooksManage = "admin.webhooks_manage",
    AdminAuditView = "admin.audit_view",
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no permission.
#[derive(Debug, thiserror::Error)]
#[error("there is no permission of that name")]
pub struct UnknownPermission;

impl FromStr for Permission {
    type Err = UnknownPermission;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|permission| permission.name() == name).ok_or(UnknownPermission)
    }
}
impl Serialize for Permission {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
impl<'de> Deserialize<'de> for Permission {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(|_| serde::de::Error::custom(format!("there is no permission {name:?}")))
    }
}
impl PartialSchema for Permission {
    fn schema() -> RefOr<Schema> {
        let names = Self::ALL.iter().map(|permission| permission.name());
        ObjectBuilder::new().schema_type(schema::Type::String).enum_values(Some(names)).into()
    }
}
impl ToSchema for Permission {
    fn name() -> std::borrow::Cow<'static, str> {
        "Permission".into()
    }
}

/// A set of permissions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Permissions(u64);

impl Permissions {
    /// None at all.
    pub const NONE: Self = Self(0);

    /// Every one of them.
    #[must_use]
    pub fn all() -> Self {
        Permission::ALL.iter().copied().collect()
    }
    /// Whether that one is in.
    #[must_use]
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & Self::bit(permission) != 0
    }
    /// Those that are in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    /// Those that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    /// One by one, in the order of the list.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.contains(*permission))
    }
    /// Reads stored names; one that the code no longer knows grants nothing.
    #[must_use]
    pub fn from_names(names: &[String]) -> Self {
        names.iter().filter_map(|name| name.parse().ok()).collect()
    }
    const fn bit(permission: Permission) -> u64 {
        1 << (permission as u8)
    }
}
impl From<Vec<String>> for Permissions {
    fn from(names: Vec<String>) -> Self {
        Self::from_names(&names)
    }
}
impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}
impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | Self::bit(permission)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_54_names_and_each_finds_its_permission() {
        assert_eq!(Permission::ALL.len(), 54);
        for permission in Permission::ALL {
            assert_eq!(permission.name().parse::<Permission>().unwrap(), *permission);
        }
        assert!("admin.everything".parse::<Permission>().is_err());
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        let set: Permissions = [Permission::ConversationsView, Permission::AdminAuditView].into_iter().collect();
        assert!(set.contains(Permission::AdminAuditView));
        assert!(!set.contains(Permission::ConversationsReply));
        assert_eq!(set.iter().count(), 2);
        assert_eq!(Permissions::all().without(set).iter().count(), 52);
    }
}
