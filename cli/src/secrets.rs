//! Secrets of the development stack: random, made once, kept in the data folder where only their owner may read them.

use anyhow::{Context, Result};
use rand::Rng;
use std::fs::{self, DirBuilder};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// 32 random bytes in hexadecimal.
pub fn random() -> String {
    rand::rng().random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text in file `name` of `folder`; `make` says what it is when it is not there yet.
pub fn kept(folder: &Path, name: &str, make: impl FnOnce() -> Result<String>) -> Result<String> {
    let path = folder.join(name);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let text = make()?;
            keep(folder, &path, &text).with_context(|| format!("writing {}", path.display()))?;
            Ok(text)
        }
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

fn keep(folder: &Path, path: &Path, text: &str) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?; // with mode 0600
    writeln!(file, "{text}")?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    Ok(())
}
