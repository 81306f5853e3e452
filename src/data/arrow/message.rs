//! The messages of Arrow's IPC formats, with every size checked before it is believed.
//!
//! A stream is a sequence of messages, each a header and a body; a file is a stream between a
//! magic number and a footer, so one reader serves both (Arrow columnar format, "Serialization and
//! Interprocess Communication").

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use ::arrow::ipc::{Message as Header, RecordBatch, Schema, root_as_message};

use super::fault;
use crate::data::reader::io;
use crate::error::Result;

/// Zstandard's blocks of 128 KiB take no less than 4 bytes; LZ4 packs less tightly.
const PACKED: u64 = 1 << 15;
/// Buffers beyond this have no int32 offsets.
const BUFFER_LIMIT: u64 = 1 << 31;
/// What stands before the messages of a file: the magic number and two bytes of padding.
const PREAMBLE: u64 = 8;
/// Some writers go on padding to a multiple of this.
const PADDING: u64 = 64;

/// A message in its parts.
pub(super) struct Message {
    pub(super) header: Vec<u8>,
    pub(super) body: Vec<u8>,
}

/// The messages of one file.
pub(super) struct Messages {
    path: PathBuf,
    file: BufReader<File>,
    /// Bytes that were not read yet.
    left: u64,
    /// Whether the end must be marked, as it is in a file.
    is_file: bool,
    schema: Vec<u8>,
}

/// Reads the header of a message.
pub(super) fn parse<'a>(path: &Path, header: &'a [u8]) -> Result<Header<'a>> {
    root_as_message(header).map_err(|error| {
        let reason = format!("{error}; write the file again");
        fault(path, "the header of a message", reason)
    })
}

impl Messages {
    pub(super) fn new(path: &Path, mut file: File) -> Result<Self> {
        let failed = |source| io(path, source);
        let left = file.metadata().map_err(failed)?.len();
        file.rewind().map_err(failed)?;
        let mut file = BufReader::new(file);
        let mut start = [0; PREAMBLE as usize];
        let is_file = left >= PREAMBLE && {
            file.read_exact(&mut start).map_err(failed)?;
            start.starts_with(b"ARROW1")
        };
        let skipped = if is_file { PREAMBLE } else { 0 };
        file.seek(SeekFrom::Start(skipped)).map_err(failed)?;
        let mut messages = Self {
            path: path.to_owned(),
            file,
            left: left - skipped,
            is_file,
            schema: Vec::new(),
        };
        let mut schema = messages.header()?;
        // Zeros are the end of the messages elsewhere, and padding before the first.
        while is_file && schema.is_none() && left - messages.left <= PADDING {
            schema = messages.header()?;
        }
        let (header, body) =
            schema.ok_or_else(|| messages.damaged("it holds no message; expected a schema"))?;
        messages.skip(body)?;
        messages.schema = header;
        Ok(messages)
    }

    /// The schema that the first message holds.
    pub(super) fn schema(&self) -> Result<Schema<'_>> {
        parse(&self.path, &self.schema)?
            .header_as_schema()
            .ok_or_else(|| self.damaged("its first message is no schema"))
    }

    /// The sum of the rows of all batches that follow; reading goes on where it was.
    pub(super) fn count_rows(&mut self) -> Result<u64> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| io(&path, source)
        };
        let place = self.file.stream_position().map_err(failed(&self.path))?;
        let left = self.left;
        let mut rows = 0u64;
        while let Some((header, body)) = self.header()? {
            if let Some(batch) = parse(&self.path, &header)?.header_as_record_batch() {
                let length = u64::try_from(batch.length()).ok();
                rows = length
                    .and_then(|length| rows.checked_add(length))
                    .ok_or_else(|| self.damaged("a batch has a negative number of rows"))?;
            }
            self.skip(body)?;
        }
        self.file
            .seek(SeekFrom::Start(place))
            .map_err(failed(&self.path))?;
        self.left = left;
        Ok(rows)
    }

    /// The next message, whose buffers lie within its body.
    pub(super) fn next(&mut self) -> Result<Option<Message>> {
        let Some((header, length)) = self.header()? else {
            return Ok(None);
        };
        let body = self.take(length)?;
        let message = parse(&self.path, &header)?;
        let batch = (message.header_as_record_batch())
            .or_else(|| message.header_as_dictionary_batch()?.data());
        if let Some(batch) = batch {
            check(batch, &body).map_err(|reason| self.damaged(reason))?;
        }
        Ok(Some(Message { header, body }))
    }

    /// The next header and the size of the body that follows; `None` at the end.
    fn header(&mut self) -> Result<Option<(Vec<u8>, u64)>> {
        if self.left == 0 && !self.is_file {
            return Ok(None);
        }
        let mut size = self.number()?;
        // Before version 0.15 no marker stood before the size.
        if size == u32::MAX {
            size = self.number()?;
        }
        if size == 0 {
            return Ok(None);
        }
        let header = self.take(u64::from(size))?;
        let body = parse(&self.path, &header)?.bodyLength();
        match u64::try_from(body) {
            Ok(body) if body <= self.left => Ok(Some((header, body))),
            _ => Err(self.damaged("a message ends after the file")),
        }
    }

    fn number(&mut self) -> Result<u32> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes(bytes.try_into().unwrap_or_default()))
    }

    fn take(&mut self, length: u64) -> Result<Vec<u8>> {
        if length > self.left {
            return Err(self.damaged("the file is cut off"));
        }
        self.left -= length;
        let mut bytes = vec![0; length as usize];
        let read = self.file.read_exact(&mut bytes);
        read.map_err(|source| io(&self.path, source))?;
        Ok(bytes)
    }

    fn skip(&mut self, length: u64) -> Result<()> {
        // `header` has checked that so much is left.
        self.left = self.left.saturating_sub(length);
        let skipped = self.file.seek_relative(length as i64);
        skipped.map_err(|source| io(&self.path, source))
    }

    fn damaged(&self, reason: &str) -> crate::Error {
        let reason = format!("{reason}; write the file again");
        fault(&self.path, "its messages", reason)
    }
}

/// Checks what the decoder takes for granted or would reserve memory for.
fn check(batch: RecordBatch<'_>, body: &[u8]) -> Result<(), &'static str> {
    let rows = batch.length();
    for node in batch.nodes().into_iter().flatten() {
        if rows < 0 || node.length() < 0 || !(0..=node.length()).contains(&node.null_count()) {
            return Err("a column has a negative number of rows, or more missing ones than rows");
        }
    }
    for buffer in batch.buffers().into_iter().flatten() {
        let range = usize::try_from(buffer.offset()).ok().and_then(|begin| {
            let length = usize::try_from(buffer.length()).ok()?;
            body.get(begin..begin.checked_add(length)?)
        });
        let Some(bytes) = range else {
            return Err("a buffer lies outside its message");
        };
        if batch.compression().is_none() || bytes.is_empty() {
            continue;
        }
        let Some((size, packed)) = bytes.split_first_chunk::<8>() else {
            return Err("a compressed buffer has no size");
        };
        // -1 says that the buffer is not compressed after all.
        let size = i64::from_le_bytes(*size);
        let most = (packed.len() as u64 + 4).saturating_mul(PACKED);
        if size < -1 || size > 0 && size as u64 > most.min(BUFFER_LIMIT) {
            return Err("a compressed buffer claims more than its bytes can hold");
        }
    }
    Ok(())
}
