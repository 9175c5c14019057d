//! The app on somebody's phone that shows the codes of their second factor.

use serde_json::Value;
use totp_rs::{Secret, Totp};

use crate::World;

/// Seconds for which a code is shown (RFC 6238, as the usual apps do it).
const STEP: u64 = 30;

/// An authenticator that was set up with what the screen shows.
///
/// Its codes are counted from the step in which it was set up and not from now: what a test calls a code that was used is one also where the next step
/// has begun meanwhile.
#[derive(Clone)]
pub struct Authenticator {
    totp: Totp,
    first: u64,
}

impl Authenticator {
    /// Reads the QR code.
    ///
    /// # Panics
    /// Where it can't be read, or says something else than the secret that is shown to be typed.
    pub async fn scan(world: &World, setup: &Value) -> Self {
        let totp = Totp::from_url(setup["url"].as_str().expect("a url")).expect("a url of an authenticator");
        if let Some(typed) = setup["secret"].as_str() {
            assert_eq!(totp.secret(), &Secret::try_from_base32(typed).expect("a secret"));
        }
        let now: i64 = sqlx::query_scalar("select floor(extract(epoch from app.now()))::bigint")
            .fetch_one(&mut world.database.superuser().await)
            .await
            .expect("the time");
        Self { totp, first: u64::try_from(now).expect("a time of today") / STEP }
    }

    /// The code that it shows so many steps after it was set up. The first is good for 30 s at least, and each other one from a step before its own to a
    /// step after it.
    #[must_use]
    pub fn code(&self, step: u64) -> String {
        self.totp.generate((self.first + step) * STEP).to_string()
    }

    /// The secret as it would be typed.
    #[must_use]
    pub fn secret(&self) -> String {
        self.totp.secret().to_base32()
    }
}
