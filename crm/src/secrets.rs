//! Secrets at rest: sealed with a key derived from the process's secret, opened only where they are used, never shown.
//! All cryptography is ring's, which is in the tree for TLS.

use ring::{aead, digest, hmac, rand::SecureRandom};
use secrecy::{ExposeSecret, SecretString};

use crate::Error;

/// Keys for the purposes that need one, derived from the one secret of the installation.
#[derive(Clone)]
pub struct Keys {
    signing: hmac::Key,
    sealing: [u8; 32],
}

impl Keys {
    /// Reads the secret: hex of 32 bytes or more.
    pub fn parse(secret: &SecretString) -> anyhow::Result<Self> {
        let text = secret.expose_secret().trim();
        let is_hex = text.len() >= 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        anyhow::ensure!(
            is_hex,
            "PALOMA_SECRET must be 32 bytes or more, as hex (make one with `openssl rand -hex 32`)"
        );
        let master = hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes());
        let signing = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&master, b"signing").as_ref());
        let mut sealing = [0; 32];
        sealing.copy_from_slice(hmac::sign(&master, b"sealing").as_ref());
        Ok(Self { signing, sealing })
    }
    /// A tag over `data` that only this installation can make, for one purpose.
    #[must_use]
    pub fn sign(&self, purpose: &str, data: &[u8]) -> Vec<u8> {
        hmac::sign(&self.signing, &message(purpose, data)).as_ref().to_vec()
    }
    /// Whether the tag is ours, compared in constant time.
    #[must_use]
    pub fn verify(&self, purpose: &str, data: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.signing, &message(purpose, data), tag).is_ok()
    }
    /// Seals a secret for storage: nonce, ciphertext, tag. `purpose` must be the same at opening.
    pub fn seal(&self, purpose: &str, secret: &SecretString) -> Result<Vec<u8>, Error> {
        let nonce = random_bytes::<{ aead::NONCE_LEN }>();
        let mut sealed = secret.expose_secret().as_bytes().to_vec();
        self.cipher()?
            .seal_in_place_append_tag(
                aead::Nonce::assume_unique_for_key(nonce),
                aead::Aad::from(purpose.as_bytes()),
                &mut sealed,
            )
            .map_err(|_| anyhow::anyhow!("a secret could not be sealed"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }
    /// Opens what [`Keys::seal`] made.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<SecretString, Error> {
        let unreadable = || anyhow::anyhow!("a stored secret can't be opened: was PALOMA_SECRET changed?");
        let (nonce, body) = sealed.split_at_checked(aead::NONCE_LEN).ok_or_else(unreadable)?;
        let nonce = aead::Nonce::try_assume_unique_for_key(nonce).map_err(|_| unreadable())?;
        let mut body = body.to_vec();
        let plain = self
            .cipher()?
            .open_in_place(nonce, aead::Aad::from(purpose.as_bytes()), &mut body)
            .map_err(|_| unreadable())?;
        Ok(String::from_utf8(plain.to_vec()).map_err(|_| unreadable())?.into())
    }
    fn cipher(&self) -> Result<aead::LessSafeKey, Error> {
        let key = aead::UnboundKey::new(&aead::AES_256_GCM, &self.sealing)
            .map_err(|_| anyhow::anyhow!("the sealing key is refused"))?;
        Ok(aead::LessSafeKey::new(key))
    }
}

fn message(purpose: &str, data: &[u8]) -> Vec<u8> {
    [purpose.as_bytes(), &[0], data].concat()
}

fn fill_random(bytes: &mut [u8]) {
    ring::rand::SystemRandom::new()
        .fill(bytes)
        .expect("the system's source of random bytes does not fail after start-up");
}

/// Random bytes that nobody can guess.
#[must_use]
pub fn random_bytes<const COUNT: usize>() -> [u8; COUNT] {
    let mut bytes = [0; COUNT];
    fill_random(&mut bytes);
    bytes
}

/// A random token of 32 bytes as hex, for links and keys.
#[must_use]
pub fn random_token() -> String {
    random_bytes::<32>().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is stored of a token that is compared, never shown: its SHA-256. Tokens are random, so no salt is needed.
#[must_use]
pub fn token_hash(token: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, token.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::parse(&"ab".repeat(32).into()).unwrap()
    }

    #[test]
    fn a_sealed_secret_opens_only_for_its_purpose_and_unchanged() {
        let sealed = keys().seal("line", &"p@ss".to_owned().into()).unwrap();
        assert!(!sealed.windows(4).any(|window| window == b"p@ss"));
        assert_eq!(keys().open("line", &sealed).unwrap().expose_secret(), "p@ss");
        assert!(keys().open("other", &sealed).is_err());
        let mut changed = sealed;
        changed[14] ^= 1;
        assert!(keys().open("line", &changed).is_err());
    }

    #[test]
    fn a_tag_is_bound_to_its_purpose() {
        let tag = keys().sign("session", b"1");
        assert!(keys().verify("session", b"1", &tag));
        assert!(!keys().verify("hook", b"1", &tag));
        assert!(!keys().verify("session", b"2", &tag));
    }
}
