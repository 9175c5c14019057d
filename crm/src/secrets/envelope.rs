//! The form of a sealed secret: a key of its own, sealed by the installation's, and the secret, sealed by that. A new secret of the installation seals the
//! keys anew and leaves what they hold.
//!
//! `1 | id of the installation's key (4) | nonce (12) | key (32) and tag (16) | nonce (12) | secret and tag (16)`; before there were envelopes
//! `nonce (12) | secret and tag (16)`, by the installation's key itself.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::{Derived, random_bytes};

const VERSION: u8 = 1;
/// Bytes of the id of an installation's key.
pub(super) const ID_LEN: usize = 4;
const KEY_LEN: usize = 32;
const TAG_LEN: usize = 16;
const MARK_LEN: usize = 1 + ID_LEN;
/// Bytes before what is inside.
pub(super) const HEAD_LEN: usize = MARK_LEN + NONCE_LEN + KEY_LEN + TAG_LEN;
/// What a key is sealed for, so that nobody passes a secret off as one.
const KEY_PURPOSE: &[u8] = b"envelope";

/// What an envelope by that key begins with.
pub(super) fn mark(keys: &Derived) -> [u8; MARK_LEN] {
    let mut mark = [VERSION; MARK_LEN];
    mark[1..].copy_from_slice(&keys.id);
    mark
}

/// Seals for one purpose.
pub(super) fn seal(keys: &Derived, purpose: &str, secret: &[u8]) -> anyhow::Result<Vec<u8>> {
    let key = random_bytes::<KEY_LEN>();
    Ok([wrap(keys, &key)?, encrypt(&key, purpose.as_bytes(), secret)?].concat())
}

/// Opens by whichever key fits.
pub(super) fn open<'k>(
    all: impl Iterator<Item = &'k Derived> + Clone,
    purpose: &str,
    sealed: &[u8],
) -> Option<Vec<u8>> {
    let inside = sealed.get(HEAD_LEN..).unwrap_or_default();
    let from_envelope = unwrap(all.clone(), sealed).and_then(|key| decrypt(&key, purpose.as_bytes(), inside));
    from_envelope.or_else(|| all.into_iter().find_map(|keys| decrypt(&keys.sealing, purpose.as_bytes(), sealed)))
}

/// The same envelope by another key; none where it is none, or no key fits.
pub(super) fn rewrap<'k>(to: &Derived, all: impl Iterator<Item = &'k Derived>, sealed: &[u8]) -> Option<Vec<u8>> {
    let key = unwrap(all, sealed)?;
    Some([wrap(to, &key).ok()?, sealed.get(HEAD_LEN..)?.to_vec()].concat())
}

fn wrap(keys: &Derived, key: &[u8]) -> anyhow::Result<Vec<u8>> {
    Ok([mark(keys).to_vec(), encrypt(&keys.sealing, KEY_PURPOSE, key)?].concat())
}

fn unwrap<'k>(mut all: impl Iterator<Item = &'k Derived>, sealed: &[u8]) -> Option<[u8; KEY_LEN]> {
    let head = sealed.get(..HEAD_LEN)?;
    let keys = all.find(|keys| head.starts_with(&mark(keys)))?;
    decrypt(&keys.sealing, KEY_PURPOSE, &head[MARK_LEN..])?.try_into().ok()
}

fn encrypt(key: &[u8], purpose: &[u8], plain: &[u8]) -> anyhow::Result<Vec<u8>> {
    let nonce = random_bytes::<NONCE_LEN>();
    let mut sealed = plain.to_vec();
    let cipher = cipher(key).ok_or_else(|| anyhow::anyhow!("the sealing key is refused"))?;
    cipher
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(purpose), &mut sealed)
        .map_err(|_| anyhow::anyhow!("a secret could not be sealed"))?;
    Ok([nonce.as_slice(), &sealed].concat())
}

fn decrypt(key: &[u8], purpose: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, body) = sealed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut body = body.to_vec();
    let plain = cipher(key)?.open_in_place(nonce, Aad::from(purpose), &mut body).ok()?;
    Some(plain.to_vec())
}

fn cipher(key: &[u8]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// As it was before there were envelopes.
    pub(in crate::secrets) fn bare(keys: &Derived, purpose: &str, secret: &[u8]) -> Vec<u8> {
        encrypt(&keys.sealing, purpose.as_bytes(), secret).unwrap()
    }

    #[test]
    fn the_same_secret_is_never_sealed_alike() {
        let keys = Derived::parse(&"ab".repeat(32).into(), "x").unwrap();
        let (one, other) = (seal(&keys, "line", b"p@ss").unwrap(), seal(&keys, "line", b"p@ss").unwrap());
        assert_eq!(one.len(), HEAD_LEN + NONCE_LEN + 4 + TAG_LEN);
        assert!(one[MARK_LEN..HEAD_LEN] != other[MARK_LEN..HEAD_LEN] && one[HEAD_LEN..] != other[HEAD_LEN..]);
    }
}
