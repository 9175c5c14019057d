//! What an ID token has to be before anything of it is believed.

use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::{
    AccessToken, AccessTokenHash, ClaimsVerificationError, Nonce, SignatureVerificationError,
    core::{CoreIdToken, CoreIdTokenClaims},
};

use super::{Client, Fault};

/// How far the clock of a provider may be from ours.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// Why an ID token is not believed.
pub(super) enum Refusal {
    /// None of the keys that are known fits.
    NoKey,
    /// Whatever the keys.
    Wrong(&'static str),
}

impl Refusal {
    /// The same for whoever asked.
    pub(super) const fn fault(self) -> Fault {
        match self {
            Self::NoKey => Fault::Untrusted("signature"),
            Self::Wrong(why) => Fault::Untrusted(why),
        }
    }
}

/// What it says, if all of it holds.
pub(super) fn check<'t>(
    client: &Client,
    token: &'t CoreIdToken,
    access_token: &AccessToken,
    nonce: &Nonce,
    now: DateTime<Utc>,
) -> Result<&'t CoreIdTokenClaims, Refusal> {
    let is_of_now = move |issued: DateTime<Utc>| {
        let off = issued - now;
        if off.abs() <= SKEW { Ok(()) } else { Err("issued at another time".to_owned()) }
    };
    let verifier = client.id_token_verifier().set_time_fn(move || now).set_issue_time_verifier_fn(is_of_now);
    let claims = token.claims(&verifier, nonce).map_err(refusal)?;
    if claims.authorized_party().is_some_and(|party| party != client.client_id()) {
        return Err(Refusal::Wrong("authorized_party"));
    }
    if let Some(expected) = claims.access_token_hash() {
        let algorithm = token.signing_alg().map_err(|_| Refusal::Wrong("algorithm"))?;
        let key = token.signing_key(&verifier).map_err(|_| Refusal::NoKey)?;
        let actual = AccessTokenHash::from_token(access_token, algorithm, key);
        if actual.ok().as_ref() != Some(expected) {
            return Err(Refusal::Wrong("access_token"));
        }
    }
    Ok(claims)
}

fn refusal(error: ClaimsVerificationError) -> Refusal {
    use ClaimsVerificationError as E;
    use SignatureVerificationError as S;
    match error {
        E::SignatureVerification(S::NoMatchingKey | S::CryptoError(_) | S::AmbiguousKeyId(_)) => Refusal::NoKey,
        E::SignatureVerification(_) => Refusal::Wrong("algorithm"),
        E::Expired(_) => Refusal::Wrong("expired"),
        E::InvalidAudience(_) => Refusal::Wrong("audience"),
        E::InvalidIssuer(_) => Refusal::Wrong("issuer"),
        E::InvalidNonce(_) => Refusal::Wrong("nonce"),
        _ => Refusal::Wrong("claims"),
    }
}
