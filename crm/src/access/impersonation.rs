//! An operator of the platform inside a tenant, as one of its users: with a reason, for half an hour that nobody can prolong, without what is the tenant's
//! secret, money or way in. The tenant sees who it was and why, and can end it.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use db::{Page, PageOf, PlatformTx, Scope, TenantTx};
use jobs::admin::{self, By};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    operators::{OperatorId, Person},
    permission::{Permission, Permissions},
    sessions::{self, SessionId},
    users::UserId,
};
use crate::{Error, secrets::Keys, tenancy::tenants::TenantId};

/// How long it lasts, in minutes; the table refuses more.
pub const MINUTES: i32 = 30;
/// The shortest reason, in characters.
const SHORTEST_REASON: usize = 5;

/// What is never open to somebody in another's place, whatever that other may do: money, secrets, ways in for later, and taking data along.
pub(super) fn withheld() -> Permissions {
    use Permission as P;
    [
        P::BillingView,
        P::BillingManageSubscription,
        P::BillingManagePaymentMethods,
        P::BillingRefund,
        P::AdminApiKeysManage,
        P::AdminWebhooksManage,
        P::AdminChannelsManage,
        P::AdminUsersManage,
        P::AdminRolesManage,
        P::CalendarConnectGoogle,
        P::ContactsExport,
        P::ConversationsExport,
    ]
    .into_iter()
    .collect()
}

/// An operator who is or was inside.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Impersonation {
    /// Its id, that of its session.
    #[schema(value_type = Uuid)]
    pub id: SessionId,
    /// The tenant's id.
    #[schema(value_type = Uuid)]
    pub tenant_id: TenantId,
    /// The tenant's name.
    pub tenant_name: String,
    /// As whom.
    #[schema(value_type = Uuid)]
    pub user_id: UserId,
    /// That user's name.
    pub user_name: String,
    /// The operator.
    #[schema(value_type = Uuid)]
    pub operator_id: OperatorId,
    /// The operator's name, as it was.
    pub operator_name: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Until when at most.
    pub expires_at: DateTime<Utc>,
    /// When it was ended before that.
    pub ended_at: Option<DateTime<Utc>>,
}

/// What somebody inside is told of it.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = OwnImpersonation)]
pub struct Own {
    /// The operator.
    pub operator_name: String,
    /// Why.
    pub reason: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// An impersonation that was opened.
pub struct Opened {
    /// The value of the tenant's cookie.
    pub token: String,
    /// The row.
    pub impersonation: Impersonation,
}

/// Opens a tenant to an operator as one of its users. The token alone opens none: the audit names a person.
pub async fn open(
    tx: &mut PlatformTx,
    keys: &Keys,
    person: &Person,
    (tenant_id, user_id): (TenantId, UserId),
    by: &By,
    (address, user_agent): (IpAddr, Option<String>),
) -> Result<Opened, Error> {
    if by.reason().chars().count() < SHORTEST_REASON {
        let message = format!("say why, in {SHORTEST_REASON} to 500 characters");
        return Err(Error::invalid("reason", "reason_too_short", message));
    }
    // whoever disables this operator waits, and then ends this one too
    sqlx::query_scalar::<_, bool>("select true from app.operators where id = $1 and disabled_at is null for share")
        .bind(person.id)
        .fetch_optional(tx.conn())
        .await?
        .ok_or(Error::Unauthorized)?;
    let (number, is_open): (i32, bool) = sqlx::query_as(
        "select t.number, t.state <> 'closed' from crm.tenants t join crm.users u on u.tenant_id = t.id where t.id = $1 and u.id = $2 and u.disabled_at is null",
    )
    .bind(tenant_id)
    .bind(user_id)
    .fetch_one(tx.conn())
    .await?;
    if !is_open {
        return Err(Error::conflict("tenant_state", "the tenant is closed"));
    }
    let id = SessionId::new();
    sqlx::query(
        "insert into crm.sessions (tenant_id, id, user_id, created_at, expires_at, user_agent, ip, impersonator_id, impersonator_name, impersonation_reason)
         values ($1, $2, $3, app.now(), app.now() + make_interval(mins => $4), $5, $6::inet, $7, $8, $9)",
    )
    .bind(tenant_id)
    .bind(id)
    .bind(user_id)
    .bind(MINUTES)
    .bind(user_agent.map(|agent| sessions::shown_agent(&agent)))
    .bind(address.to_string())
    .bind(person.id)
    .bind(&person.name)
    .bind(by.reason())
    .execute(tx.conn())
    .await?;
    admin::note(tx, by, "impersonate", ("tenant", &tenant_id.to_string()), number).await?;
    Ok(Opened { token: sessions::token(keys, id), impersonation: get(tx, id).await? })
}

/// One, as its scope sees it.
pub async fn get<S: Scope>(tx: &mut S, id: SessionId) -> Result<Impersonation, Error> {
    Ok(sqlx::query_as(
        "select s.id, s.tenant_id, t.name as tenant_name, s.user_id, u.name as user_name, s.impersonator_id as operator_id, s.impersonator_name as operator_name,
                s.impersonation_reason as reason, s.created_at, s.expires_at, s.revoked_at as ended_at
           from crm.sessions s
           join crm.users u on u.tenant_id = s.tenant_id and u.id = s.user_id
           join crm.tenants t on t.id = s.tenant_id
          where s.id = $1 and s.impersonator_id is not null",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?)
}

/// Who is and was inside, newest first: in a tenant's scope inside it.
pub async fn list<S: Scope>(
    tx: &mut S,
    tenant_id: Option<TenantId>,
    page: &PageOf<SessionId>,
) -> Result<Page<Impersonation>, Error> {
    let rows: Vec<Impersonation> = sqlx::query_as(
        "select s.id, s.tenant_id, t.name as tenant_name, s.user_id, u.name as user_name, s.impersonator_id as operator_id, s.impersonator_name as operator_name,
                s.impersonation_reason as reason, s.created_at, s.expires_at, s.revoked_at as ended_at
           from crm.sessions s
           join crm.users u on u.tenant_id = s.tenant_id and u.id = s.user_id
           join crm.tenants t on t.id = s.tenant_id
          where s.impersonator_id is not null and ($1::uuid is null or s.tenant_id = $1) and ($2::uuid is null or s.id < $2)
          order by s.id desc limit $3",
    )
    .bind(tenant_id)
    .bind(page.after)
    .bind(page.fetch())
    .fetch_all(tx.conn())
    .await?;
    Ok(page.finish(rows, |row| row.id))
}

/// Ends one at once, for whoever is inside or for the tenant: sockets too, within some seconds. One that is not there is [`Error::NotFound`]; ending it
/// twice is no fault.
pub async fn end<S: Scope>(tx: &mut S, id: SessionId) -> Result<Impersonation, Error> {
    get(tx, id).await?;
    sqlx::query("update crm.sessions set revoked_at = app.now() where id = $1 and impersonator_id is not null and revoked_at is null and expires_at > app.now()")
        .bind(id)
        .execute(tx.conn())
        .await?;
    get(tx, id).await
}

/// The same for an operator, who says why.
pub async fn end_by(tx: &mut PlatformTx, id: SessionId, by: &By) -> Result<Impersonation, Error> {
    let ended = end(tx, id).await?;
    let number: i32 = sqlx::query_scalar("select number from crm.tenants where id = $1")
        .bind(ended.tenant_id)
        .fetch_one(tx.conn())
        .await?;
    admin::note(tx, by, "end_impersonation", ("tenant", &ended.tenant_id.to_string()), number).await?;
    Ok(ended)
}

/// What somebody inside is told of it; none: it is the user's own session.
pub async fn own(tx: &mut TenantTx, session_id: SessionId) -> Result<Option<Own>, Error> {
    Ok(sqlx::query_as(
        "select s.impersonator_name as operator_name, s.impersonation_reason as reason, s.expires_at
           from crm.sessions s where s.tenant_id = app.tenant_id() and s.id = $1 and s.impersonator_id is not null",
    )
    .bind(session_id)
    .fetch_optional(tx.conn())
    .await?)
}
