//! Reading a file that somebody named: regular files only, and never more than is allowed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use super::bytes;

/// Why a file was not read. The text fits "...: {error}" and "{file} {error}".
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is a folder, a device, a pipe or a socket: those may have no end.
    #[error("is {0}, not a file")]
    NotAFile(&'static str),
    /// It is larger than is allowed.
    #[error("has more than the {} that are read", bytes(*bytes_max))]
    TooLarge {
        /// The most bytes allowed.
        bytes_max: u64,
    },
    /// The system refused.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Returns the content of a regular file of at most `bytes_max` bytes. A size is what is read, not
/// what the system says: it says 0 of many files of `/proc`, and others grow.
pub fn read_file(path: &Path, bytes_max: u64) -> Result<Vec<u8>, ReadError> {
    // Before it is opened, because opening a device may have effects; and again after.
    regular(&fs::metadata(path)?)?;
    let file = open(path)?;
    let found = file.metadata()?;
    regular(&found)?;
    if found.len() > bytes_max {
        return Err(ReadError::TooLarge { bytes_max });
    }
    // Room for all of it and a byte more, which tells the end from a file that has grown.
    let mut content = Vec::with_capacity(found.len() as usize + 1);
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut content)?;
    if content.len() as u64 > bytes_max {
        return Err(ReadError::TooLarge { bytes_max });
    }
    Ok(content)
}

/// Opens without waiting for the other end of what has become a pipe meanwhile.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(target_os = "linux")]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK | libc::O_NOCTTY);
    options.open(path)
}

fn regular(found: &fs::Metadata) -> Result<(), ReadError> {
    let kind = found.file_type();
    if kind.is_file() {
        return Ok(());
    }
    Err(ReadError::NotAFile(if kind.is_dir() { "a folder" } else { special(kind) }))
}

#[cfg(unix)]
fn special(kind: fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn special(_: fs::FileType) -> &'static str {
    "something special"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_read_and_no_more_than_allowed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        fs::write(&path, "12345").expect("written");
        assert_eq!(read_file(&path, 5).expect("content"), b"12345");
        assert!(matches!(read_file(&path, 4), Err(ReadError::TooLarge { bytes_max: 4 })));
        assert!(matches!(read_file(folder.path(), 4), Err(ReadError::NotAFile("a folder"))));
        assert!(matches!(read_file(&folder.path().join("none"), 4), Err(ReadError::Io(_))));
        #[cfg(target_os = "linux")]
        {
            assert!(matches!(read_file(Path::new("/dev/zero"), 4), Err(ReadError::NotAFile("a device"))));
            // The system says 0 of its size.
            assert!(matches!(read_file(Path::new("/proc/self/mountinfo"), 1), Err(ReadError::TooLarge { .. })));
            let pipe = folder.path().join("pipe");
            nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
            assert!(matches!(read_file(&pipe, 4), Err(ReadError::NotAFile("a pipe"))));
        }
    }
}
