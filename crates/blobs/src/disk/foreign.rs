//! Files that another program's store left: read where they lie, or taken in under a second name.

use std::{fs, io::ErrorKind, path::Path, path::PathBuf, sync::Arc};

use super::{blocking, buffer::Pool, layout::Layout, reader::DiskReader, system};
use crate::{BlobReader, Error, Result, UploadId, error::Context as _};

/// Opens files by path, with buffers of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct ForeignFiles(Arc<Pool>);

impl ForeignFiles {
    pub(crate) async fn open(&self, path: PathBuf) -> Result<Arc<dyn BlobReader>> {
        let pool = Arc::clone(&self.0);
        let reader = blocking(move || DiskReader::open(&path, &pool)).await?;
        Ok(Arc::new(reader))
    }
}

/// Gives a file a second name as the bytes of an upload, durably; false where it can have none there. Blocks.
pub(super) fn adopt(layout: &Layout, upload: &UploadId, path: &Path) -> Result<bool> {
    let name = layout.upload(upload);
    match fs::hard_link(path, &name) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(Error::NotFound),
        Err(error) => {
            tracing::debug!(path = %path.display(), %error, "a file can't get a second name in the store, it is copied");
            return Ok(false);
        }
    }
    // Whoever wrote it may not have made it durable.
    let file = fs::File::open(&name).context(|| format!("cannot open {}", name.display()))?;
    system::sync_data(&file, &name)?;
    system::sync_directory(layout.uploads())?;
    Ok(true)
}
