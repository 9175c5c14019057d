//! Secrets and signatures as Standard Webhooks has them: `whsec_` and base64; `v1,` and the base64 of an HMAC-SHA256 over `id.timestamp.body`.

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};

use crate::{Error, secrets};

const PREFIX: &str = "whsec_";

/// A new secret.
pub(super) fn secret() -> SecretString {
    format!("{PREFIX}{}", STANDARD.encode(secrets::random_bytes::<32>())).into()
}

/// The header's value: a signature by each secret.
pub(super) fn signature(secrets: &[SecretString], (id, timestamp, body): (&str, i64, &str)) -> Result<String, Error> {
    let signed = format!("{id}.{timestamp}.{body}");
    let signatures: Result<Vec<String>, Error> = secrets
        .iter()
        .map(|secret| {
            let bytes = secret.expose_secret().strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
            let bytes = bytes.ok_or_else(|| anyhow::anyhow!("a stored secret of a webhook is none"))?;
            let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
            Ok(format!("v1,{}", STANDARD.encode(hmac::sign(&key, signed.as_bytes()))))
        })
        .collect();
    Ok(signatures?.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_specification() {
        let secret: SecretString = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".to_owned().into();
        let body = r#"{"email":"test@example.com","username":"test_user"}"#;
        let told = ("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body);
        let one = signature(std::slice::from_ref(&secret), told).unwrap();
        assert_eq!(one, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
        let two = signature(&[super::secret(), secret], told).unwrap();
        assert!(two.starts_with("v1,") && two.ends_with(&format!(" {one}")), "{two}");
    }

    #[test]
    fn a_secret_is_long_enough_and_no_other_one() {
        let (one, other) = (secret(), secret());
        assert_ne!(one.expose_secret(), other.expose_secret());
        assert_eq!(STANDARD.decode(one.expose_secret().strip_prefix("whsec_").unwrap()).unwrap().len(), 32);
    }
}
