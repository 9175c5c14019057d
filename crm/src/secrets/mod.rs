//! Secrets at rest: sealed in envelopes by keys derived from the process's secret, opened only where they are used, never shown.
//! All cryptography is ring's, which is in the tree for TLS.

mod columns;
mod envelope;
mod rotate;

use ring::{digest, hmac, rand::SecureRandom};
use secrecy::{ExposeSecret, SecretString};

pub use self::rotate::{Rotate, Standing, standing};
use crate::Error;

/// Keys for the purposes that need one, derived from the one secret of the installation, and from those that it had before.
#[derive(Clone)]
pub struct Keys {
    current: Derived,
    previous: Vec<Derived>,
}

/// What is derived from one secret.
#[derive(Clone)]
struct Derived {
    signing: hmac::Key,
    sealing: [u8; 32],
    /// By which an envelope says what it was sealed with. Tells nothing of the key.
    id: [u8; envelope::ID_LEN],
}

impl Derived {
    fn parse(secret: &SecretString, name: &str) -> anyhow::Result<Self> {
        let text = secret.expose_secret().trim();
        let is_hex = text.len() >= 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        anyhow::ensure!(is_hex, "{name} must be 32 bytes or more, as hex (make one with `openssl rand -hex 32`)");
        let master = hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes());
        let derive = |purpose: &[u8]| hmac::sign(&master, purpose);
        let mut sealing = [0; 32];
        sealing.copy_from_slice(derive(b"sealing").as_ref());
        let mut id = [0; envelope::ID_LEN];
        id.copy_from_slice(&derive(b"id").as_ref()[..envelope::ID_LEN]);
        Ok(Self { signing: hmac::Key::new(hmac::HMAC_SHA256, derive(b"signing").as_ref()), sealing, id })
    }
}

impl Keys {
    /// Reads the secret: hex of 32 bytes or more.
    pub fn parse(secret: &SecretString) -> anyhow::Result<Self> {
        Ok(Self { current: Derived::parse(secret, "PALOMA_SECRET")?, previous: Vec::new() })
    }
    /// The same with secrets that were in its place before: what they sealed is opened, what they signed is known.
    pub fn with_previous(mut self, secrets: &[SecretString]) -> anyhow::Result<Self> {
        let parsed = secrets.iter().map(|secret| Derived::parse(secret, "each of PALOMA_PREVIOUS_SECRETS"));
        self.previous = parsed.collect::<anyhow::Result<_>>()?;
        Ok(self)
    }
    /// A tag over `data` that only this installation can make, for one purpose.
    #[must_use]
    pub fn sign(&self, purpose: &str, data: &[u8]) -> Vec<u8> {
        hmac::sign(&self.current.signing, &message(purpose, data)).as_ref().to_vec()
    }
    /// Whether the tag is ours, compared in constant time.
    #[must_use]
    pub fn verify(&self, purpose: &str, data: &[u8], tag: &[u8]) -> bool {
        let message = message(purpose, data);
        self.all().any(|keys| hmac::verify(&keys.signing, &message, tag).is_ok())
    }
    /// Seals a secret for storage. `purpose` must be the same at opening.
    pub fn seal(&self, purpose: &str, secret: &SecretString) -> Result<Vec<u8>, Error> {
        Ok(envelope::seal(&self.current, purpose, secret.expose_secret().as_bytes())?)
    }
    /// Opens what [`Keys::seal`] made, by this secret or by one before it.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<SecretString, Error> {
        let plain = envelope::open(self.all(), purpose, sealed);
        let plain = plain.and_then(|plain| String::from_utf8(plain).ok());
        let unreadable = || {
            anyhow::anyhow!(
                "a stored secret can't be opened: was PALOMA_SECRET changed, and the one before not given in PALOMA_PREVIOUS_SECRETS?"
            )
        };
        Ok(plain.ok_or_else(unreadable)?.into())
    }
    /// What every envelope of the current secret begins with.
    #[must_use]
    pub fn mark(&self) -> Vec<u8> {
        envelope::mark(&self.current).to_vec()
    }
    /// Whether the current key opens it by itself: it stands in no envelope of another.
    fn suffices(&self, purpose: &str, sealed: &[u8]) -> bool {
        envelope::open(std::iter::once(&self.current), purpose, sealed).is_some()
    }
    /// The same secret under the current key; none where no key opens it. What is in an envelope already is not opened, only what it is sealed with.
    fn reseal(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        if let Some(rewrapped) = envelope::rewrap(&self.current, self.all(), sealed) {
            return Some(rewrapped);
        }
        envelope::seal(&self.current, purpose, &envelope::open(self.all(), purpose, sealed)?).ok()
    }
    fn all(&self) -> impl Iterator<Item = &Derived> + Clone {
        std::iter::once(&self.current).chain(&self.previous)
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
        for at in [0, 1, 6, 30, envelope::HEAD_LEN, changed.len() - 1] {
            changed[at] ^= 1;
            assert!(keys().open("line", &changed).is_err(), "{at}");
            changed[at] ^= 1;
        }
    }

    #[test]
    fn what_an_earlier_secret_sealed_is_opened_and_resealed_by_the_next() {
        let (old, new) = (keys(), Keys::parse(&"cd".repeat(32).into()).unwrap());
        let both = new.clone().with_previous(&["ab".repeat(32).into()]).unwrap();
        let sealed = old.seal("line", &"p@ss".to_owned().into()).unwrap();
        assert!(new.open("line", &sealed).is_err() && new.reseal("line", &sealed).is_none());
        assert_eq!(both.open("line", &sealed).unwrap().expose_secret(), "p@ss");
        let resealed = both.reseal("line", &sealed).unwrap();
        assert!(resealed.starts_with(&both.mark()) && !sealed.starts_with(&both.mark()));
        assert_eq!(new.open("line", &resealed).unwrap().expose_secret(), "p@ss");
        assert!(old.open("line", &resealed).is_err() && new.open("other", &resealed).is_err());
        // the inside stays as it is
        assert_eq!(resealed[envelope::HEAD_LEN..], sealed[envelope::HEAD_LEN..]);
    }

    #[test]
    fn what_was_sealed_before_there_were_envelopes_is_opened_and_put_into_one() {
        let bare = envelope::tests::bare(&keys().current, "line", b"p@ss");
        assert_eq!(keys().open("line", &bare).unwrap().expose_secret(), "p@ss");
        assert!(keys().open("other", &bare).is_err());
        assert!(keys().suffices("line", &bare), "it stays as it is, for processes that know no envelopes");
        let both = Keys::parse(&"cd".repeat(32).into()).unwrap().with_previous(&["ab".repeat(32).into()]).unwrap();
        assert_eq!(both.open("line", &bare).unwrap().expose_secret(), "p@ss");
        assert!(!both.suffices("line", &bare));
        let resealed = both.reseal("line", &bare).unwrap();
        assert_eq!(
            Keys::parse(&"cd".repeat(32).into()).unwrap().open("line", &resealed).unwrap().expose_secret(),
            "p@ss"
        );
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        for broken in [&[][..], &[1], &[1; 40], &[1; 200], &[0; 12], &[9; 100]] {
            assert!(keys().open("line", broken).is_err() && keys().reseal("line", broken).is_none(), "{broken:?}");
        }
        let short: SecretString = "ab".repeat(31).into();
        assert!(Keys::parse(&short).is_err() && keys().with_previous(&[short]).is_err());
    }

    #[test]
    fn a_tag_is_bound_to_its_purpose() {
        let tag = keys().sign("session", b"1");
        assert!(keys().verify("session", b"1", &tag));
        assert!(!keys().verify("hook", b"1", &tag));
        assert!(!keys().verify("session", b"2", &tag));
        let next = Keys::parse(&"cd".repeat(32).into()).unwrap();
        assert!(!next.verify("session", b"1", &tag));
        assert!(next.with_previous(&["ab".repeat(32).into()]).unwrap().verify("session", b"1", &tag));
    }
}
