//! One node per data folder: two would write to the same logs and recordings.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::StoreError;

/// The file whose lock says that a node runs here. It stays when the node ends; only the lock counts, which the system
/// takes back however the node ends.
const FILE: &str = "hustings.lock";

/// Held as long as the node runs.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes the folder (making it when missing), or says that another node has it.
    pub fn take(data: &Path) -> Result<Self, StoreError> {
        let path = data.join(FILE);
        let failed = |error: std::io::Error| StoreError::Folder {
            path: data.display().to_string(),
            why: error.to_string(),
        };
        std::fs::create_dir_all(data).map_err(failed)?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse {
                path: data.display().to_string(),
            }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}
