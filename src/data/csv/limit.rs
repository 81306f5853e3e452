//! A bound on the size of one record.

use std::fs::File;
use std::io::{Chain, Cursor, Read};

/// What [`Limited`] fails with.
pub(super) const TOO_LONG: std::io::ErrorKind = std::io::ErrorKind::FileTooLarge;

/// A file of which no more than `left` bytes are read before `left` is set anew.
#[derive(Debug)]
pub(super) struct Limited {
    pub(super) inner: Chain<Cursor<Vec<u8>>, File>,
    pub(super) left: u64,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            return Err(TOO_LONG.into());
        }
        let read = self.inner.read(buffer)?;
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}
