//! Passwords: argon2id, off the threads that serve requests, a few at a time because each takes 19 MiB.

use std::sync::LazyLock;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::Error;

/// The shortest password that may be set.
pub const MIN_LENGTH: usize = 10;
/// The longest; longer ones are refused before any work is done for them.
pub const MAX_LENGTH: usize = 256;

static AT_ONCE: Semaphore = Semaphore::const_new(4);

/// A hash that no password has: verifying against it takes an unknown user as long as a known one.
static NOBODY: LazyLock<String> = LazyLock::new(|| {
    let password = crate::secrets::random_token();
    Argon2::default().hash_password(password.as_bytes()).expect("argon2 takes a password of 64 bytes").to_string()
});

/// Hashes a password that somebody sets; one too short or too long is refused.
pub async fn hash(field: &'static str, password: SecretString) -> Result<String, Error> {
    let length = password.expose_secret().chars().count();
    if length < MIN_LENGTH {
        return Err(Error::invalid(
            field,
            "password_too_short",
            format!("a password has {MIN_LENGTH} characters or more"),
        ));
    }
    if length > MAX_LENGTH {
        return Err(Error::invalid(
            field,
            "password_too_long",
            format!("a password has {MAX_LENGTH} characters or fewer"),
        ));
    }
    in_background(move || {
        let hash = Argon2::default().hash_password(password.expose_secret().as_bytes());
        hash.map(|hash| hash.to_string()).map_err(|error| anyhow::anyhow!("hashing a password: {error}").into())
    })
    .await?
}

/// Whether the password is the one that was hashed; without a hash it takes as long and is not.
pub async fn verify(password: SecretString, hash: Option<String>) -> Result<bool, Error> {
    in_background(move || {
        // made before either way: the first unknown user after a start must not take longer
        let nobody = LazyLock::force(&NOBODY);
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| nobody.clone());
        let Ok(hash) = PasswordHash::new(&hash) else { return false };
        Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash).is_ok() && known
    })
    .await
}

async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let _permit = AT_ONCE.acquire().await.map_err(anyhow::Error::from)?;
    Ok(tokio::task::spawn_blocking(work).await.map_err(anyhow::Error::from)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_that_was_hashed_fits() {
        let hash = hash("password", "correct horse".to_owned().into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(verify("correct horse".to_owned().into(), Some(hash.clone())).await.unwrap());
        assert!(!verify("wrong horse".to_owned().into(), Some(hash)).await.unwrap());
        assert!(!verify("correct horse".to_owned().into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_short_or_endless_password_is_refused() {
        assert_eq!(hash("password", "short".to_owned().into()).await.unwrap_err().code(), "password_too_short");
        assert_eq!(hash("password", "x".repeat(300).into()).await.unwrap_err().code(), "password_too_long");
    }
}
