//! Where the bytes of files are: a folder, or a bucket of a service that speaks S3. Names are made of our own ids and of nothing that anybody
//! outside has said, so there is no name that could lead elsewhere. A file is there whole or not at all.

mod bucket;
mod fault;
mod read;
#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    fs::{self, File},
    io::AsyncWriteExt,
};
use uuid::Uuid;

pub use bucket::BucketOptions;
use bucket::Store;
pub use fault::BlobError;
pub use read::{Asked, Blob, Found};

/// Nothing that is kept is longer: what comes in has 100 MB at most, and what is made of it 200.
const LONGEST: u64 = 256 << 20;

/// Which form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// As it came.
    Original,
    /// A small picture of it.
    Thumbnail,
    /// What every browser shows or plays.
    Playable,
    /// What phones take for a voice message.
    Voice,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Original, Self::Thumbnail, Self::Playable, Self::Voice];
    /// The word for it in paths and addresses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Thumbnail => "thumbnail",
            Self::Playable => "playable",
            Self::Voice => "voice",
        }
    }
    /// Reads the word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.as_str() == name)
    }
}

/// The place of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlobKey {
    /// Whose.
    pub tenant_id: Uuid,
    /// Our id of it.
    pub id: Uuid,
    /// Which form.
    pub form: Form,
}

impl BlobKey {
    /// What it is called, the same in a folder and in a bucket, so that either can be copied to the other as it is.
    #[must_use]
    pub fn name(self) -> String {
        let (tenant, id) = (self.tenant_id.simple(), self.id.simple().to_string());
        // the end of an id is random: no folder grows without end
        format!("{tenant}/{}/{id}.{}", &id[30..], self.form.as_str())
    }
}

/// None of what is not there, or is no folder.
fn there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        found => found.map(Some),
    }
}

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Blobs {
    root: PathBuf,
    bucket: Option<Arc<Store>>,
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blobs").field("root", &self.root).field("is_bucket", &self.bucket.is_some()).finish()
    }
}

/// A file being written: nobody sees it before it is kept. It goes away with this.
#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
    /// What is written so far.
    pub file: File,
}

impl Draft {
    /// Where it is, for a program that writes or reads it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // kept ones have been renamed away by now
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A file of the store where programs of this machine can read it. What was brought here for that goes away with this.
#[derive(Debug)]
pub struct Local {
    path: PathBuf,
    /// Held for its end.
    _copy: Option<Draft>,
}

impl Local {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Blobs {
    /// The store in that folder, which is made when it is needed.
    #[must_use]
    pub fn folder(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), bucket: None }
    }

    /// The store in a bucket. What is being written or read by programs of this machine lies in that folder meanwhile.
    pub fn bucket(root: impl Into<PathBuf>, options: BucketOptions) -> Result<Self, BlobError> {
        Ok(Self { root: root.into(), bucket: Some(Arc::new(Store::new(options)?)) })
    }

    /// Begins a file of that tenant.
    pub async fn draft(&self, tenant_id: Uuid) -> io::Result<Draft> {
        let folder = self.root.join(tenant_id.simple().to_string()).join("drafts");
        fs::create_dir_all(&folder).await?;
        let path = folder.join(Uuid::new_v4().simple().to_string());
        let file = File::options().read(true).write(true).create_new(true).open(&path).await?;
        Ok(Draft { path, file })
    }

    /// Keeps a draft as that file, of a type of ours; one that is there already is replaced. What failed may be done again with the same draft.
    pub async fn keep(&self, draft: &Draft, key: BlobKey, mime: &'static str) -> Result<(), BlobError> {
        draft.file.sync_all().await?;
        if let Some(store) = &self.bucket {
            return store.put(&key.name(), File::open(&draft.path).await?, mime).await;
        }
        let path = self.root.join(key.name());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).await?;
        }
        Ok(fs::rename(&draft.path, &path).await?)
    }

    /// Opens a file, or those bytes of it.
    pub async fn open(&self, key: BlobKey, asked: Asked) -> Result<Found, BlobError> {
        match &self.bucket {
            Some(store) => store.open(&key.name(), asked).await,
            None => read::open(&self.root.join(key.name()), asked).await,
        }
    }

    /// A file as programs of this machine read it.
    pub async fn local(&self, key: BlobKey) -> Result<Local, BlobError> {
        let Some(store) = &self.bucket else {
            let path = self.root.join(key.name());
            fs::metadata(&path).await?;
            return Ok(Local { path, _copy: None });
        };
        let mut draft = self.draft(key.tenant_id).await?;
        store.fetch(&key.name(), &mut draft.file).await?;
        Ok(Local { path: draft.path.clone(), _copy: Some(draft) })
    }

    /// Removes a file in all its forms; what is not there is fine.
    pub async fn remove(&self, tenant_id: Uuid, id: Uuid) -> Result<(), BlobError> {
        for form in Form::ALL {
            let name = BlobKey { tenant_id, id, form }.name();
            let removed = match &self.bucket {
                Some(store) => store.remove(&name).await,
                None => fs::remove_file(self.root.join(name)).await.map_err(BlobError::from),
            };
            match removed {
                Err(BlobError::Missing) => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Removes what processes that were killed had begun to write on this machine so long ago, and answers how many files that were.
    pub async fn sweep(&self, older: Duration) -> io::Result<u64> {
        let mut swept = 0;
        let Some(mut tenants) = there(fs::read_dir(&self.root).await)? else { return Ok(0) };
        while let Some(tenant) = tenants.next_entry().await? {
            let Some(mut drafts) = there(fs::read_dir(tenant.path().join("drafts")).await)? else { continue };
            while let Some(draft) = drafts.next_entry().await? {
                // one that is kept or thrown away meanwhile is not there any more
                let Some(about) = there(draft.metadata().await)? else { continue };
                if about.modified()?.elapsed().is_ok_and(|age| age > older)
                    && there(fs::remove_file(draft.path()).await)?.is_some()
                {
                    swept += 1;
                }
            }
        }
        Ok(swept)
    }

    /// Does once in a bucket what will be done in it from now on, so that what is wrong with its settings is told by who starts and not by the first
    /// person who sends a picture. A folder is made when it is needed.
    pub async fn check(&self) -> Result<(), BlobError> {
        const SAID: &[u8] = b"paloma";
        let Some(store) = &self.bucket else { return Ok(()) };
        let key = BlobKey { tenant_id: Uuid::nil(), id: Uuid::new_v4(), form: Form::Original };
        let mut draft = self.draft(key.tenant_id).await?;
        draft.file.write_all(SAID).await?;
        self.keep(&draft, key, "application/octet-stream").await?;
        let read = fs::read(self.local(key).await?.path()).await?;
        store.remove(&key.name()).await?;
        if read != SAID {
            return Err(fault::STRANGE);
        }
        // who may not list a bucket is told "access denied" of what is not there, and would wait for it for ever
        match self.open(key, Asked::All).await {
            Err(BlobError::Missing) => Ok(()),
            Err(BlobError::Refused { .. }) => Err(fault::MAY_NOT_LIST),
            Err(error) => Err(error),
            Ok(_) => Err(fault::STRANGE),
        }
    }
}
