//! The closed set of permissions. A name is the contract: roles, API keys, routes and screens use it.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema},
};

use crate::Error;

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

/// How far a permission reaches that is about conversations, from the narrowest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PermissionScope)]
pub enum Scope {
    /// What is assigned to whoever has it.
    Own,
    /// What is assigned to somebody of a team of theirs, and what nobody has yet.
    Team,
    /// Everybody's.
    All,
}

impl Scope {
    /// What stands behind a stored name; nothing where it reaches everywhere.
    const fn suffix(self) -> &'static str {
        match self {
            Self::Own => ":own",
            Self::Team => ":team",
            Self::All => "",
        }
    }
}

impl Permission {
    /// Whether it can be granted for less than everything.
    #[must_use]
    pub const fn is_scoped(self) -> bool {
        matches!(
            self,
            Self::ConversationsView
                | Self::ConversationsReply
                | Self::ConversationsNote
                | Self::ConversationsAssign
                | Self::ConversationsChangeState
                | Self::ConversationsPinShared
                | Self::ConversationsDeleteMessage
                | Self::ConversationsExport
        )
    }
}

/// How far those permissions reach that do not reach everywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(BTreeMap<Permission, Scope>);

impl From<Vec<String>> for Scopes {
    fn from(names: Vec<String>) -> Self {
        Permissions::from_names(&names).scopes()
    }
}

/// A set of permissions, each as far as it reaches: a bit for whether it is in, for whether it reaches to one's teams, and for whether it does everywhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Permissions {
    own: u64,
    team: u64,
    all: u64,
}

impl Permissions {
    /// None at all.
    pub const NONE: Self = Self { own: 0, team: 0, all: 0 };

    /// Every one of them, everywhere.
    #[must_use]
    pub fn all() -> Self {
        Permission::ALL.iter().copied().collect()
    }
    /// These, as far as is said: one of which nothing is said reaches as far as `unsaid` does.
    pub fn of(
        permissions: impl IntoIterator<Item = Permission>,
        scopes: &Scopes,
        unsaid: impl Fn(Permission) -> Scope,
    ) -> Result<Self, Error> {
        let granted: Self = permissions
            .into_iter()
            .map(|permission| (permission, scopes.0.get(&permission).copied().unwrap_or_else(|| unsaid(permission))))
            .collect();
        for (permission, scope) in &scopes.0 {
            if !granted.contains(*permission) {
                let message = format!("{permission} has a scope and is not among the permissions");
                return Err(Error::invalid("scopes", "scope_of_nothing", message));
            }
            if !permission.is_scoped() && *scope != Scope::All {
                let message = format!("{permission} reaches everywhere, and can't be granted for less");
                return Err(Error::invalid("scopes", "scope_not_possible", message));
            }
        }
        Ok(granted)
    }
    /// Whether that one is in, however far it reaches.
    #[must_use]
    pub const fn contains(self, permission: Permission) -> bool {
        self.own & Self::bit(permission) != 0
    }
    /// How far that one reaches, if it is in.
    #[must_use]
    pub const fn scope(self, permission: Permission) -> Option<Scope> {
        let bit = Self::bit(permission);
        match (self.own & bit != 0, self.team & bit != 0, self.all & bit != 0) {
            (false, _, _) => None,
            (true, false, _) => Some(Scope::Own),
            (true, true, false) => Some(Scope::Team),
            (true, true, true) => Some(Scope::All),
        }
    }
    /// Those that are in both, as far as both reach.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self { own: self.own & other.own, team: self.team & other.team, all: self.all & other.all }
    }
    /// Those that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self { own: self.own & !other.own, team: self.team & !other.own, all: self.all & !other.own }
    }
    /// Those that reach further than they do in `other`, if there are any: the first of them.
    pub fn beyond(self, other: Self) -> Option<Permission> {
        let beyond = (self.own & !other.own) | (self.team & !other.team) | (self.all & !other.all);
        Permission::ALL.iter().copied().find(|permission| beyond & Self::bit(*permission) != 0)
    }
    /// Those that reach to one's teams, as if they reached everywhere: nobody can say beforehand who will be in a team.
    #[must_use]
    pub const fn of_teams(self) -> Self {
        let bits = self.team & !self.all;
        Self { own: bits, team: bits, all: bits }
    }
    /// What somebody else has to have to do all that these open to whoever holds them: what is one's own is another's to everybody else. Their own is a
    /// team's to whoever is in one with them; what they have of their teams may be of teams in which whoever asks is not.
    #[must_use]
    pub const fn of_another(self, is_mate: bool) -> Self {
        let narrow = self.own & !self.all;
        let wide = if is_mate { self.team & !self.all } else { narrow };
        Self { own: self.own, team: self.team | narrow, all: self.all | wide }
    }
    /// One by one, in the order of the list.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.contains(*permission))
    }
    /// How far those reach that do not reach everywhere.
    #[must_use]
    pub fn scopes(self) -> Scopes {
        let narrow = |permission| Some((permission, self.scope(permission).filter(|scope| *scope != Scope::All)?));
        Scopes(self.iter().filter_map(narrow).collect())
    }
    /// As they are stored.
    #[must_use]
    pub fn names(self) -> Vec<String> {
        let scope = |permission| self.scope(permission).unwrap_or(Scope::Own).suffix();
        self.iter().map(|permission| format!("{permission}{}", scope(permission))).collect()
    }
    /// Reads stored names; one that the code no longer knows grants nothing.
    #[must_use]
    pub fn from_names(names: &[String]) -> Self {
        let read = |name: &String| {
            let (name, scope) = match name.split_once(':') {
                None => (name.as_str(), Scope::All),
                Some((name, "team")) => (name, Scope::Team),
                Some((name, "own")) => (name, Scope::Own),
                Some(_) => return None,
            };
            let permission: Permission = name.parse().ok()?;
            (permission.is_scoped() || scope == Scope::All).then_some((permission, scope))
        };
        names.iter().filter_map(read).collect()
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
impl FromIterator<(Permission, Scope)> for Permissions {
    fn from_iter<I: IntoIterator<Item = (Permission, Scope)>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::NONE, |set, (permission, scope)| {
            let (bit, team, all) = (Self::bit(permission), scope >= Scope::Team, scope == Scope::All);
            Self {
                own: set.own | bit,
                team: set.team | if team { bit } else { 0 },
                all: set.all | if all { bit } else { 0 },
            }
        })
    }
}
impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().map(|permission| (permission, Scope::All)).collect()
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

    #[test]
    fn what_is_stored_is_read_as_it_was_and_what_is_not_known_grants_nothing() {
        let set: Permissions = [
            (Permission::ConversationsView, Scope::Team),
            (Permission::ConversationsReply, Scope::Own),
            (Permission::ContactsView, Scope::All),
        ]
        .into_iter()
        .collect();
        let names = set.names();
        assert_eq!(names, ["conversations.view:team", "conversations.reply:own", "contacts.view"]);
        assert_eq!(Permissions::from_names(&names), set);
        let odd = ["contacts.view:own", "conversations.view:most", "conversations.view:", "nothing:own"];
        assert_eq!(Permissions::from_names(&odd.map(str::to_owned)), Permissions::NONE);
    }

    #[test]
    fn what_reaches_further_is_beyond_and_what_both_have_reaches_as_far_as_the_narrower() {
        let view = |scope| Permissions::from_iter([(Permission::ConversationsView, scope)]);
        let scopes = [Scope::Own, Scope::Team, Scope::All];
        for wide in scopes {
            assert_eq!(view(wide).beyond(Permissions::NONE), Some(Permission::ConversationsView));
            for narrow in scopes {
                assert_eq!(view(wide).beyond(view(narrow)).is_some(), wide > narrow, "{wide:?} {narrow:?}");
                assert_eq!(view(wide).intersection(view(narrow)), view(wide.min(narrow)));
                assert_eq!(view(wide).without(view(narrow)), Permissions::NONE);
            }
            assert_eq!(view(wide).scope(Permission::ConversationsView), Some(wide));
        }
        assert_eq!(view(Scope::Team).of_teams(), view(Scope::All));
        assert_eq!(view(Scope::All).of_teams(), Permissions::NONE);
        for (theirs, of_mate) in [(Scope::Own, Scope::Team), (Scope::Team, Scope::All), (Scope::All, Scope::All)] {
            assert_eq!(view(theirs).of_another(true), view(of_mate));
            assert_eq!(view(theirs).of_another(false), view(Scope::All));
        }
        assert_eq!(Permissions::NONE.of_another(false), Permissions::NONE);
    }

    #[test]
    fn a_scope_is_said_of_what_is_granted_and_can_have_one() {
        let of = |permission: Permission, scoped: Permission, scope| {
            Permissions::of([permission], &Scopes(BTreeMap::from([(scoped, scope)])), |_| Scope::All)
        };
        let (view, note) = (Permission::ConversationsView, Permission::ConversationsNote);
        assert_eq!(of(view, view, Scope::Own).unwrap().scope(view), Some(Scope::Own));
        assert_eq!(of(view, note, Scope::Own).unwrap_err().code(), "scope_of_nothing");
        let contacts = Permission::ContactsView;
        assert_eq!(of(contacts, contacts, Scope::Own).unwrap_err().code(), "scope_not_possible");
        assert!(of(contacts, contacts, Scope::All).is_ok());
    }
}
