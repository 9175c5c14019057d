//! Where sealed secrets are stored.

use db::{PlatformTx, Scope};
use uuid::Uuid;

use super::Keys;
use crate::{
    Error,
    access::{providers, second_factor},
    messaging::lines,
    tenancy::settings,
    webhooks,
};

/// A column of sealed secrets, all of one purpose. What is sealed for minutes, as what a log-in elsewhere has begun with, is not here.
pub(super) struct Column {
    pub purpose: &'static str,
    /// Answers ($1: the mark of the current key, $2 and $3: the last tenant and row) what lies behind: tenant, row, secret.
    behind: &'static str,
    /// Sets ($1: tenant, $2: row, $3: the new form, $4: the old) it, unless somebody was faster.
    set: &'static str,
}

/// All of them.
pub(super) const COLUMNS: [Column; 8] = [
    Column {
        purpose: lines::PASSWORD,
        behind: "select l.tenant_id, l.id, l.password from crm.lines l
                  where substr(l.password, 1, 5) <> $1 and (l.tenant_id, l.id) > ($2, $3) order by l.tenant_id, l.id limit 200",
        set: "update crm.lines l set password = $3 where l.tenant_id = $1 and l.id = $2 and l.password = $4",
    },
    Column {
        purpose: lines::HOOK,
        behind: "select l.tenant_id, l.id, l.hook_token from crm.lines l
                  where substr(l.hook_token, 1, 5) <> $1 and (l.tenant_id, l.id) > ($2, $3) order by l.tenant_id, l.id limit 200",
        set: "update crm.lines l set hook_token = $3 where l.tenant_id = $1 and l.id = $2 and l.hook_token = $4",
    },
    Column {
        purpose: second_factor::PURPOSE,
        behind: "select u.tenant_id, u.id, u.totp_secret from crm.users u
                  where substr(u.totp_secret, 1, 5) <> $1 and (u.tenant_id, u.id) > ($2, $3) order by u.tenant_id, u.id limit 200",
        set: "update crm.users u set totp_secret = $3 where u.tenant_id = $1 and u.id = $2 and u.totp_secret = $4",
    },
    Column {
        purpose: second_factor::PURPOSE,
        behind: "select '00000000-0000-0000-0000-000000000000'::uuid, o.id, o.totp_secret from app.operators o
                  where substr(o.totp_secret, 1, 5) <> $1 and ('00000000-0000-0000-0000-000000000000'::uuid, o.id) > ($2, $3) order by o.id limit 200",
        set: "update app.operators o set totp_secret = $3 where $1 = '00000000-0000-0000-0000-000000000000'::uuid and o.id = $2 and o.totp_secret = $4",
    },
    Column {
        purpose: providers::PURPOSE,
        behind: "select p.tenant_id, p.id, p.client_secret from crm.identity_providers p
                  where substr(p.client_secret, 1, 5) <> $1 and (p.tenant_id, p.id) > ($2, $3) order by p.tenant_id, p.id limit 200",
        set: "update crm.identity_providers p set client_secret = $3 where p.tenant_id = $1 and p.id = $2 and p.client_secret = $4",
    },
    Column {
        purpose: webhooks::SECRET,
        behind: "select w.tenant_id, w.id, w.secret from crm.webhooks w
                  where substr(w.secret, 1, 5) <> $1 and (w.tenant_id, w.id) > ($2, $3) order by w.tenant_id, w.id limit 200",
        set: "update crm.webhooks w set secret = $3 where w.tenant_id = $1 and w.id = $2 and w.secret = $4",
    },
    Column {
        purpose: webhooks::SECRET,
        behind: "select w.tenant_id, w.id, w.previous_secret from crm.webhooks w
                  where substr(w.previous_secret, 1, 5) <> $1 and (w.tenant_id, w.id) > ($2, $3) order by w.tenant_id, w.id limit 200",
        set: "update crm.webhooks w set previous_secret = $3 where w.tenant_id = $1 and w.id = $2 and w.previous_secret = $4",
    },
    Column {
        purpose: settings::SECRET,
        behind: "select s.tenant_id, s.id, s.secret from crm.settings s
                  where substr(s.secret, 1, 5) <> $1 and (s.tenant_id, s.id) > ($2, $3) order by s.tenant_id, s.id limit 200",
        set: "update crm.settings s set secret = $3 where s.tenant_id = $1 and s.id = $2 and s.secret = $4",
    },
];

impl Column {
    /// The next rows that are not sealed with the current key.
    pub async fn behind(
        &self,
        tx: &mut PlatformTx,
        keys: &Keys,
        after: (Uuid, Uuid),
    ) -> Result<Vec<(Uuid, Uuid, Vec<u8>)>, Error> {
        let rows = sqlx::query_as(self.behind).bind(keys.mark()).bind(after.0).bind(after.1);
        Ok(rows.fetch_all(tx.conn()).await?)
    }

    /// Sets one anew; answers 0 where somebody was faster.
    pub async fn set(&self, tx: &mut PlatformTx, row: (Uuid, Uuid), new: &[u8], old: &[u8]) -> Result<u64, Error> {
        let set = sqlx::query(self.set).bind(row.0).bind(row.1).bind(new).bind(old).execute(tx.conn()).await?;
        Ok(set.rows_affected())
    }
}
