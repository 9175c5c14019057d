//! The built-in roles and what each of them may do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::permission::{Permission, Permissions};

/// A built-in role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
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

#[cfg(test)]
mod tests {
    use super::*;

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
