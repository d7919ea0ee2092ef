//! The name of a store: a random text in a file of its own, by which its catalog knows that the right disk is mounted.

use std::{fs, io::ErrorKind, io::Write as _, path::Path};

use super::{Disk, layout::Layout, system};
use crate::{Result, error::Context as _};

impl Disk {
    /// Reads the name of the store in a directory; `None` if it has none or there is no store. Blocks.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) when the file is there and can't be read.
    pub fn identity(root: &Path) -> Result<Option<String>> {
        let path = Layout::new(root).identity().to_owned();
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            read => read
                .map(|text| Some(text.trim().to_owned()))
                .context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Gives the store a name, durably. Blocks.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) when the file can't be written.
    pub fn identify(&self, name: &str) -> Result<()> {
        let path = self.0.layout.identity();
        // Under its final name the file is whole or not there.
        let unfinished = path.with_extension("new");
        let context = || format!("cannot write {}", unfinished.display());
        let mut file = system::open_upload(&unfinished, true).context(context)?;
        file.set_len(0).and_then(|()| writeln!(file, "{name}")).context(context)?;
        system::sync_data(&file, &unfinished)?;
        system::rename(&unfinished, path)?;
        path.parent().map_or(Ok(()), system::sync_directory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::system::trace;

    #[test]
    fn a_name_is_kept_and_durable() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("store");
        assert_eq!(Disk::identity(&root).unwrap(), None);
        assert!(!root.exists(), "asking makes nothing");

        let disk = Disk::open(&root, 1).unwrap();
        assert_eq!(Disk::identity(&root).unwrap(), None);
        fs::write(root.join("identity.new"), "what a crash left of an earlier try, and longer").unwrap();
        disk.identify("one").unwrap();
        let calls = trace::calls(&root);
        assert_eq!(
            calls[calls.len() - 3..],
            ["sync data identity.new", "rename identity", "sync directory "],
            "{calls:?}"
        );
        assert_eq!(Disk::identity(&root).unwrap().as_deref(), Some("one"));
    }
}
