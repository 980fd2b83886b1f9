//! The helper's socket in a folder of the node's user: nobody may use it to get at files that are not his.

use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, chownat, fstat, open};
use rustix::process::{Gid, Uid, geteuid, umask};
use tokio::net::UnixListener;

/// Binds with mode 0600 and gives the socket to `owner`. The folder may belong to that very user, who could put another
/// file in the socket's place meanwhile: so the file is opened, looked at, and only then changed, by its descriptor.
pub(super) fn bind_for(path: &Path, owner: (u32, u32)) -> io::Result<UnixListener> {
    let before = umask(Mode::from_raw_mode(0o177));
    let bound = UnixListener::bind(path);
    umask(before);
    let listener = bound?;
    if geteuid().as_raw() == owner.0 {
        return Ok(listener);
    }
    let file = open(
        path,
        OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let about = fstat(&file)?;
    let is_ours = FileType::from_raw_mode(about.st_mode) == FileType::Socket
        && about.st_uid == geteuid().as_raw()
        && about.st_nlink == 1;
    if !is_ours {
        return Err(io::Error::other(
            "another file was put in the socket's place",
        ));
    }
    let (uid, gid) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
    chownat(&file, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
    Ok(listener)
}

/// Takes away the socket of a helper that has ended.
///
/// # Errors
/// When another helper listens there, or the file is no socket.
pub(super) fn remove_stale(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt as _;
    match std::fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
        Ok(about) if !about.file_type().is_socket() => {
            Err(io::Error::other("there is a file that is no socket"))
        }
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another helper listens there",
        )),
        Ok(_) => std::fs::remove_file(path),
    }
}
