//! One contact: made, read, changed and removed by hand. Many at once are an import's matter.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use db::{Id, Page, PageOf, Scope, TenantTx};
use serde::{Deserialize, Deserializer, Serialize};
use sqlx::types::Json;
use utoipa::ToSchema;

use super::{
    filter::{ContactFilter, Terms},
    home_region,
    import::{
        ImportId,
        map::{MAX_VALUE_CHARS, is_email},
    },
    labels::LabelId,
};
use crate::{
    Error,
    phone::{self, Region},
};

/// Marks ids of contacts.
#[derive(Debug)]
pub enum ContactMark {}
/// The id of a contact. Ids of one import are in the order of its rows.
pub type ContactId = Id<ContactMark>;

/// The most custom attributes of a contact.
const MAX_ATTRIBUTES: usize = 200;

/// Somebody who can be written to.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
pub struct Contact {
    /// The contact.
    pub id: ContactId,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// The phone messages go to, E.164.
    pub phone: Option<String>,
    /// Digits to dial after the call is answered.
    pub phone_extension: Option<String>,
    /// Another phone of the same person, E.164.
    pub second_phone: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Company.
    pub company: Option<String>,
    /// Street and number.
    pub address: Option<String>,
    /// City.
    pub city: Option<String>,
    /// State or province.
    pub state: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// Country.
    pub country: Option<String>,
    /// Time zone, IANA.
    pub time_zone: Option<String>,
    /// Custom attributes, for templates.
    #[schema(value_type = BTreeMap<String, String>)]
    pub attributes: Json<BTreeMap<String, String>>,
    /// The import that made it.
    pub import_id: Option<ImportId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Its labels.
    #[schema(value_type = Vec<Uuid>)]
    pub label_ids: Vec<LabelId>,
}

/// What is said of a contact: an absent field says nothing, null empties it.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ContactFields {
    /// Given name.
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    pub first_name: Option<Option<String>>,
    /// Family name.
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    pub last_name: Option<Option<String>>,
    /// The phone, as people write it; a number without a country code is the tenant's country's.
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    pub phone: Option<Option<String>>,
    /// Another phone.
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    pub second_phone: Option<Option<String>>,
    /// E-mail address.
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    pub email: Option<Option<String>>,
    /// Company.
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    pub company: Option<Option<String>>,
    /// Street and number.
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    pub address: Option<Option<String>>,
    /// City.
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    pub city: Option<Option<String>>,
    /// State or province.
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    pub state: Option<Option<String>>,
    /// Postal code.
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    pub postal_code: Option<Option<String>>,
    /// Country.
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    pub country: Option<Option<String>>,
    /// Time zone, IANA.
    #[serde(deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    pub time_zone: Option<Option<String>>,
    /// Custom attributes: those named are set, or removed by null; the others stay.
    pub attributes: BTreeMap<String, Option<String>>,
}

/// Tells a field that is null from one that is absent.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Makes a contact.
pub async fn create(tx: &mut TenantTx, fields: ContactFields) -> Result<Contact, Error> {
    let mut contact = Contact {
        id: ContactId::new(),
        first_name: None,
        last_name: None,
        phone: None,
        phone_extension: None,
        second_phone: None,
        email: None,
        company: None,
        address: None,
        city: None,
        state: None,
        postal_code: None,
        country: None,
        time_zone: None,
        attributes: Json(BTreeMap::new()),
        import_id: None,
        created_at: tx.now(),
        updated_at: tx.now(),
        label_ids: Vec::new(),
    };
    let region = home_region(tx).await?;
    fill(&mut contact, fields, region)?;
    sqlx::query("insert into crm.contacts (id, phone, email) values ($1, $2, $3)")
        .bind(contact.id)
        .bind(&contact.phone)
        .bind(&contact.email)
        .execute(tx.conn())
        .await?;
    store(tx, contact).await
}

/// One contact.
pub async fn get(tx: &mut TenantTx, id: ContactId) -> Result<Contact, Error> {
    let contact = sqlx::query_as(
        "select c.id, c.first_name, c.last_name, c.phone, c.phone_extension, c.second_phone, c.email, c.company, c.address, c.city,
           c.state, c.postal_code, c.country, c.time_zone, c.attributes, c.import_id, c.created_at, c.updated_at,
           array(select l.label_id from crm.contact_label_links l
                  where l.tenant_id = c.tenant_id and l.contact_id = c.id order by l.label_id) as label_ids
         from crm.contacts c
         where c.tenant_id = app.tenant_id() and c.id = $1",
    )
    .bind(id)
    .fetch_one(tx.conn())
    .await?;
    Ok(contact)
}

/// The contacts of a filter, oldest first: those of an import in the order of its rows.
pub async fn list(tx: &mut TenantTx, filter: &ContactFilter, page: &PageOf<ContactId>) -> Result<Page<Contact>, Error> {
    let terms = filter.terms(tx).await?;
    let ids: Vec<ContactId> = sqlx::query_scalar("select m.id from crm.match_contacts($1, $2, $3) m")
        .bind(terms)
        .bind(page.after)
        .bind(page.fetch())
        .fetch_all(tx.conn())
        .await?;
    let contacts = these(tx, &ids).await?;
    Ok(page.finish(contacts, |contact| contact.id))
}

/// A few contacts for what somebody has typed so far: beginnings of names, of an e-mail address, digits of a number in any spelling.
pub async fn suggest(tx: &mut TenantTx, typed: &str, limit: i64) -> Result<Vec<Contact>, Error> {
    let terms = Terms::of(typed, home_region(tx).await?);
    let Some(terms) = terms else { return Ok(Vec::new()) };
    let ids: Vec<ContactId> = sqlx::query_scalar("select s.id from crm.suggest_contacts($1, $2, $3, $4) s")
        .bind(Some(&terms.words).filter(|words| !words.is_empty()))
        .bind(&terms.digits)
        .bind(&terms.email)
        .bind(i32::try_from(limit.clamp(1, 50)).unwrap_or(10))
        .fetch_all(tx.conn())
        .await?;
    these(tx, &ids).await
}

/// Contacts in the order of the ids given; those that are gone are left out.
async fn these(tx: &mut TenantTx, ids: &[ContactId]) -> Result<Vec<Contact>, Error> {
    let contacts = sqlx::query_as(
        "select c.id, c.first_name, c.last_name, c.phone, c.phone_extension, c.second_phone, c.email, c.company, c.address, c.city,
           c.state, c.postal_code, c.country, c.time_zone, c.attributes, c.import_id, c.created_at, c.updated_at,
           array(select l.label_id from crm.contact_label_links l
                  where l.tenant_id = c.tenant_id and l.contact_id = c.id order by l.label_id) as label_ids
         from unnest($1::uuid[]) with ordinality u (id, nth)
         cross join lateral (select x.* from crm.contacts x where x.tenant_id = app.tenant_id() and x.id = u.id offset 0) c
         order by u.nth",
    )
    .bind(ids)
    .persistent(false)
    .fetch_all(tx.conn())
    .await?;
    Ok(contacts)
}

/// Changes what is said, leaves the rest.
pub async fn update(tx: &mut TenantTx, id: ContactId, fields: ContactFields) -> Result<Contact, Error> {
    let locked: Option<i32> =
        sqlx::query_scalar("select 1 from crm.contacts c where c.tenant_id = app.tenant_id() and c.id = $1 for update")
            .bind(id)
            .fetch_optional(tx.conn())
            .await?;
    locked.ok_or(Error::NotFound)?;
    let mut contact = get(tx, id).await?;
    let region = home_region(tx).await?;
    fill(&mut contact, fields, region)?;
    store(tx, contact).await
}

/// Removes a contact. Conversations stay, without their contact.
pub async fn delete(tx: &mut TenantTx, id: ContactId) -> Result<(), Error> {
    let deleted = sqlx::query("delete from crm.contacts where tenant_id = app.tenant_id() and id = $1")
        .bind(id)
        .execute(tx.conn())
        .await?;
    if deleted.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(()) }
}

async fn store(tx: &mut TenantTx, contact: Contact) -> Result<Contact, Error> {
    let stored = sqlx::query_as(
        "update crm.contacts c
         set first_name = $2, last_name = $3, phone = $4, phone_extension = $5, second_phone = $6, email = $7, company = $8,
           address = $9, city = $10, state = $11, postal_code = $12, country = $13, time_zone = $14, attributes = $15,
           updated_at = app.now()
         where tenant_id = app.tenant_id() and id = $1
         returning id, first_name, last_name, phone, phone_extension, second_phone, email, company, address, city, state,
           postal_code, country, time_zone, attributes, import_id, created_at, updated_at,
           array(select l.label_id from crm.contact_label_links l
                  where l.tenant_id = c.tenant_id and l.contact_id = c.id order by l.label_id) as label_ids",
    )
    .bind(contact.id)
    .bind(contact.first_name)
    .bind(contact.last_name)
    .bind(contact.phone)
    .bind(contact.phone_extension)
    .bind(contact.second_phone)
    .bind(contact.email)
    .bind(contact.company)
    .bind(contact.address)
    .bind(contact.city)
    .bind(contact.state)
    .bind(contact.postal_code)
    .bind(contact.country)
    .bind(contact.time_zone)
    .bind(contact.attributes)
    .fetch_one(tx.conn())
    .await?;
    Ok(stored)
}

fn fill(contact: &mut Contact, fields: ContactFields, region: Region) -> Result<(), Error> {
    set(&mut contact.first_name, "first_name", fields.first_name)?;
    set(&mut contact.last_name, "last_name", fields.last_name)?;
    set(&mut contact.company, "company", fields.company)?;
    set(&mut contact.address, "address", fields.address)?;
    set(&mut contact.city, "city", fields.city)?;
    set(&mut contact.state, "state", fields.state)?;
    set(&mut contact.postal_code, "postal_code", fields.postal_code)?;
    set(&mut contact.country, "country", fields.country)?;
    set(&mut contact.time_zone, "time_zone", fields.time_zone)?;
    if contact.time_zone.as_ref().is_some_and(|zone| zone.parse::<chrono_tz::Tz>().is_err()) {
        return Err(Error::invalid("time_zone", "time_zone_unknown", "a time zone is a name such as Europe/Berlin"));
    }
    if let Some(text) = fields.email {
        contact.email = filled(text).map(|text| email("email", &text)).transpose()?;
    }
    if let Some(text) = fields.second_phone {
        let parsed = filled(text).map(|text| number("second_phone", &text, region)).transpose()?;
        contact.second_phone = parsed.map(|parsed| parsed.phone.into());
    }
    if let Some(text) = fields.phone {
        let parsed = filled(text).map(|text| number("phone", &text, region)).transpose()?;
        contact.phone_extension = parsed.as_ref().and_then(|parsed| parsed.extension.clone());
        let extra = parsed.as_ref().and_then(|parsed| parsed.extra.clone());
        contact.second_phone = contact.second_phone.take().or(extra.map(Into::into));
        contact.phone = parsed.map(|parsed| parsed.phone.into());
    }
    for (name, text) in fields.attributes {
        let mut value = contact.attributes.remove(&name);
        let name = name.trim().to_owned();
        if name.is_empty() || name.chars().count() > 200 {
            return Err(Error::invalid(
                "attributes",
                "attribute_name",
                "the name of an attribute has 1 to 200 characters",
            ));
        }
        set(&mut value, "attributes", Some(text))?;
        if let Some(value) = value {
            contact.attributes.insert(name, value);
        }
    }
    if contact.attributes.len() > MAX_ATTRIBUTES {
        let message = format!("a contact has {MAX_ATTRIBUTES} attributes at most");
        return Err(Error::invalid("attributes", "too_many_attributes", message));
    }
    if contact.phone.is_none() && contact.email.is_none() {
        return Err(Error::invalid("phone", "no_address", "a contact has a phone or an e-mail address"));
    }
    Ok(())
}

fn set(slot: &mut Option<String>, field: &'static str, said: Option<Option<String>>) -> Result<(), Error> {
    let Some(text) = said else { return Ok(()) };
    let text = filled(text);
    if text.as_ref().is_some_and(|text| text.chars().count() > MAX_VALUE_CHARS) {
        return Err(Error::invalid(field, "value_too_long", format!("{MAX_VALUE_CHARS} characters at most")));
    }
    *slot = text;
    Ok(())
}

fn filled(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn number(field: &'static str, text: &str, region: Region) -> Result<phone::ParsedPhone, Error> {
    phone::parse(text, region).map_err(|error| Error::invalid(field, error.code(), error.to_string()))
}

/// An e-mail address as it is stored, in lower case.
pub(super) fn email(field: &'static str, text: &str) -> Result<String, Error> {
    let text = text.trim().to_lowercase();
    if is_email(&text) { Ok(text) } else { Err(Error::invalid(field, "email_invalid", "this is no e-mail address")) }
}
