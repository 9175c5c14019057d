//! A text as one contact would get it, what it costs as SMS, and one sent to try it: an ordinary message, which no campaign counts.

use std::collections::BTreeMap;

use db::{Scope, TenantTx};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    audience::{Chosen, check_variables},
    campaign::check_body,
    segments::{self, Segments},
};
use crate::{
    Error,
    access::{Caller, Permission},
    inbox::{
        conversations, opening,
        write::{self, Reply},
    },
    messaging::lines::LineId,
    text::Template,
};

/// What a contact would read.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = CampaignPreview)]
pub struct Preview {
    /// The text.
    pub text: String,
    /// What it costs as SMS.
    pub segments: Segments,
    /// The variables it names.
    pub variables: Vec<String>,
}

/// Renders a text for a contact; for nobody, as for one of whom nothing is known.
pub async fn preview(tx: &mut TenantTx, body: &str, contact: Option<Uuid>) -> Result<Preview, Error> {
    let template = check_body(body)?;
    check_variables(tx, &Chosen::default(), &template).await?;
    let text = render(tx, &template, contact).await?;
    let variables = template.variables().into_iter().map(str::to_owned).collect();
    Ok(Preview { segments: segments::count(&text), text, variables })
}

async fn render(tx: &mut TenantTx, template: &Template, contact: Option<Uuid>) -> Result<String, Error> {
    let Some(contact) = contact else { return Ok(template.render(&BTreeMap::new())) };
    let values: Json<BTreeMap<String, String>> = sqlx::query_scalar(
        "select jsonb_strip_nulls(jsonb_build_object('firstName', k.first_name, 'lastName', k.last_name,
           'fullName', nullif(concat_ws(' ', k.first_name, k.last_name), ''), 'phone', k.phone, 'email', k.email, 'company', k.company,
           'city', k.city, 'state', k.state)) || k.attributes
           from crm.contacts k where k.tenant_id = app.tenant_id() and k.id = $1",
    )
    .bind(contact)
    .fetch_one(tx.conn())
    .await?;
    Ok(template.render(&values.0))
}

/// A text to be tried.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTestSend)]
pub struct NewTest {
    /// The line to send from.
    pub line_id: LineId,
    /// The text, with variables.
    pub body: String,
    /// Where to, a phone number.
    pub address: String,
    /// With whose values; absent: as for one of whom nothing is known.
    pub contact_id: Option<Uuid>,
}

/// A test on its way.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = TestSend)]
pub struct Test {
    /// Its message.
    pub message_id: Uuid,
    /// The conversation it is in.
    #[schema(value_type = Uuid)]
    pub conversation_id: conversations::ConversationId,
    /// The text that is sent.
    pub text: String,
}

/// Sends a text to try it, ahead of all bulk work of its line. Whoever may not be written to gets no test either. It goes to whomever, and so is closed to who
/// answers some conversations only.
pub async fn test(tx: &mut TenantTx, caller: &Caller, new: &NewTest) -> Result<Test, Error> {
    if caller.permissions.contains(Permission::ConversationsReply) {
        caller.require_whole(Permission::ConversationsReply)?;
    }
    if new.address.contains('@') {
        return Err(Error::invalid("address", "address_no_phone", "campaigns go to phone numbers"));
    }
    let text = preview(tx, &new.body, new.contact_id).await?.text;
    let conversation_id = opening::open(tx, new.line_id.uuid(), &new.address).await?;
    let reply = Reply { author: caller.user_id, body: &text, media: &[], reply_to_id: None, despite_opt_out: false };
    let message_id = write::reply(tx, conversation_id, reply).await?;
    Ok(Test { message_id, conversation_id, text })
}
