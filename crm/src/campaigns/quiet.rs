//! Quiet hours that are stricter than those of rule D9: an account's own, everywhere or in one region. They hold from the moment they are set,
//! also for campaigns that are under way, since laws and complaints do not wait for the next one.

use db::{Scope, TenantTx};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use utoipa::ToSchema;

use super::{hours::Quiet, zones};
use crate::{
    Error,
    phone::Region,
    tenancy::week::{are_days, minutes},
};

/// Rules of one account.
const MOST: usize = 100;

/// When campaigns may be sent to contacts of a region: only on these days, and only from here to before there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QuietHours)]
pub struct Rule {
    /// A country as ISO 3166 (`FR`) or a state of the USA (`US-FL`); none: everywhere.
    pub region: Option<String>,
    /// Days of the week, 1 is Monday.
    pub days: Vec<u32>,
    /// The first minute, not before 08:00.
    pub from: String,
    /// The minute it ends before, not after 21:00.
    pub until: String,
}

impl Rule {
    fn check(&self) -> Result<(), Error> {
        let days = are_days(&self.days);
        let (Some(from), Some(until), true) = (minutes(&self.from), minutes(&self.until), days) else {
            let message = "give days from 1 (Monday) to 7, and hours such as 09:00 and 20:00";
            return Err(Error::invalid("items", "quiet_hours_invalid", message));
        };
        if from >= until {
            return Err(Error::invalid(
                "items",
                "quiet_hours_invalid",
                "it has to end after it begins, on the same day",
            ));
        }
        if !Quiet::default().has(from, until) {
            let message = "hours can only be stricter than 08:00 to 21:00";
            return Err(Error::invalid("items", "quiet_hours_looser", message));
        }
        match self.region.as_deref() {
            None => Ok(()),
            Some(region)
                if zones::is_state(region) || region.parse().is_ok_and(|known: Region| known.code() == region) =>
            {
                Ok(())
            }
            Some(region) => {
                let message = format!("{region} is no country such as FR, and no state such as US-FL");
                Err(Error::invalid("items", "quiet_hours_region", message))
            }
        }
    }
}

/// The account's own rules.
pub async fn own(tx: &mut TenantTx) -> Result<Vec<Rule>, Error> {
    let Json(rules): Json<Vec<Rule>> =
        sqlx::query_scalar("select quiet_hours from crm.tenants where id = app.tenant_id()")
            .fetch_one(tx.conn())
            .await?;
    Ok(rules)
}

/// Sets all of them, where those that somebody has read still hold.
pub async fn set(tx: &mut TenantTx, rules: &[Rule], was: Option<&[Rule]>) -> Result<(), Error> {
    if rules.len() > MOST {
        return Err(Error::invalid("items", "quiet_hours_many", format!("{MOST} rules at most")));
    }
    for (place, rule) in rules.iter().enumerate() {
        rule.check()?;
        if rules[..place].iter().any(|other| other.region == rule.region) {
            return Err(Error::invalid("items", "quiet_hours_twice", "each region has one rule"));
        }
    }
    let sql = "update crm.tenants set quiet_hours = $1 where id = app.tenant_id() and quiet_hours = coalesce($2, quiet_hours)";
    let set = sqlx::query(sql).bind(Json(rules)).bind(was.map(Json)).execute(tx.conn()).await?;
    if set.rows_affected() == 0 {
        return Err(Error::conflict("quiet_hours_changed", "other rules hold by now; read them first"));
    }
    Ok(())
}

/// What holds in these regions, by commas: rule D9, and whatever is stricter.
#[must_use]
pub fn of(rules: &[Rule], regions: Option<&str>) -> Quiet {
    let mut quiet = Quiet::default();
    for rule in rules {
        let holds = match rule.region.as_deref() {
            None => true,
            Some(region) => regions.is_some_and(|regions| regions.split(',').any(|one| one == region)),
        };
        if let (true, Some(from), Some(until)) = (holds, minutes(&rule.from), minutes(&rule.until)) {
            quiet.tighten(&rule.days, from, until);
        }
    }
    quiet
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(region: Option<&str>, days: &[u32], from: &str, until: &str) -> Rule {
        Rule { region: region.map(str::to_owned), days: days.to_vec(), from: from.to_owned(), until: until.to_owned() }
    }

    #[test]
    fn the_strictest_of_all_that_hold_is_what_holds() {
        let rules = [
            rule(None, &[1, 2, 3, 4, 5, 6], "08:30", "20:30"),
            rule(Some("FR"), &[1, 2, 3, 4, 5], "10:00", "20:00"),
            rule(Some("US-FL"), &[1, 2, 3, 4, 5, 6, 7], "08:00", "20:00"),
        ];
        let spans = |regions| {
            let quiet = of(&rules, regions);
            (quiet.days().len(), quiet.span())
        };
        assert_eq!(of(&[], Some("FR")), Quiet::default());
        assert_eq!(spans(None), (6, (510, 1230)));
        assert_eq!(spans(Some("FR")), (5, (600, 1200)));
        assert_eq!(spans(Some("US,US-FL")), (6, (510, 1200)));
        assert_eq!(spans(Some("US,US-GA")), (6, (510, 1230)));
    }

    #[test]
    fn what_is_looser_or_nowhere_is_refused() {
        for (wrong, code) in [
            (rule(None, &[1], "07:59", "20:00"), "quiet_hours_looser"),
            (rule(None, &[1], "08:00", "21:01"), "quiet_hours_looser"),
            (rule(None, &[], "09:00", "20:00"), "quiet_hours_invalid"),
            (rule(None, &[1, 1], "09:00", "20:00"), "quiet_hours_invalid"),
            (rule(None, &[1], "20:00", "09:00"), "quiet_hours_invalid"),
            (rule(Some("US-XX"), &[1], "09:00", "20:00"), "quiet_hours_region"),
            (rule(Some("fr"), &[1], "09:00", "20:00"), "quiet_hours_region"),
            (rule(Some("Florida"), &[1], "09:00", "20:00"), "quiet_hours_region"),
        ] {
            assert_eq!(wrong.check().unwrap_err().code(), code, "{wrong:?}");
        }
        for right in [
            rule(None, &[7], "08:00", "21:00"),
            rule(Some("FR"), &[1], "10:00", "20:00"),
            rule(Some("US-PR"), &[1], "09:00", "20:00"),
        ] {
            right.check().unwrap();
        }
    }
}
