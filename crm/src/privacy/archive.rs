//! A ZIP of files that are there already. They are stored as they are: most of them are pictures and sound, which nothing makes smaller.

use std::{fs::File, io, path::PathBuf};

use clients::blobs::Draft;
use zip::{CompressionMethod, ZipWriter, result::ZipError, write::SimpleFileOptions};

/// A file that goes into an archive.
pub(super) struct Entry {
    /// What it is called there, with `/` between folders.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// Writes an archive over whatever is in the draft. It takes a thread of its own: a ZIP is written by a library that waits for the disk.
pub(super) async fn write(draft: &Draft, entries: Vec<Entry>) -> io::Result<()> {
    let path = draft.path().to_owned();
    let written = tokio::task::spawn_blocking(move || -> Result<(), ZipError> {
        let mut zip = ZipWriter::new(File::create(path)?);
        let options =
            SimpleFileOptions::default().compression_method(CompressionMethod::Stored).unix_permissions(0o600);
        for Entry { name, path } in entries {
            zip.start_file(name, options)?;
            io::copy(&mut File::open(path)?, &mut zip)?;
        }
        zip.finish()?;
        Ok(())
    });
    written.await.map_err(io::Error::other)?.map_err(io::Error::other)
}
