//! The messages of Arrow's IPC formats, with every size checked before it is believed.
//!
//! A stream is a sequence of messages, each a header and a body, of which the first holds the
//! schema. A file is a magic number, messages, and a footer that holds the schema and the places of
//! the others; what stands between them is not always a stream, so only the footer is believed
//! (Arrow columnar format, "Serialization and Interprocess Communication").

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use ::arrow::ipc::{
    Footer, Message as Header, RecordBatch, Schema, root_as_footer, root_as_message,
};

use super::fault;
use crate::data::reader::io;
use crate::error::Result;

/// Zstandard's blocks of 128 KiB take no less than 4 bytes; LZ4 packs less tightly.
const PACKED: u64 = 1 << 15;
/// Buffers beyond this have no int32 offsets.
const BUFFER_LIMIT: u64 = 1 << 31;
/// What stands before the messages of a file: the magic number and two bytes of padding.
const PREAMBLE: u64 = 8;
/// What stands after the footer: its size and the magic number.
const TRAILER: u64 = 10;

/// A message in its parts.
pub(super) struct Message {
    pub(super) header: Vec<u8>,
    pub(super) body: Vec<u8>,
}

/// The messages of one file.
pub(super) struct Messages {
    path: PathBuf,
    file: BufReader<File>,
    /// Bytes of messages that may be read yet, so that no message of a file is read many times.
    left: u64,
    start: Start,
    /// Messages of a file that were read.
    read: usize,
}

/// What is known before the first batch.
enum Start {
    /// The footer of a file, and the places of its messages, dictionaries first.
    File { footer: Vec<u8>, places: Vec<u64> },
    /// The first message of a stream.
    Stream { schema: Vec<u8> },
}

/// Reads the header of a message.
pub(super) fn parse<'a>(path: &Path, header: &'a [u8]) -> Result<Header<'a>> {
    root_as_message(header).map_err(|error| {
        let reason = format!("{error:?}; write the file again");
        fault(path, "the header of a message", reason)
    })
}

fn parse_footer<'a>(path: &Path, footer: &'a [u8]) -> Result<Footer<'a>> {
    root_as_footer(footer).map_err(|error| {
        let reason = format!("{error:?}; write the file again");
        fault(path, "its footer", reason)
    })
}

/// The footer of a file, and where it begins.
fn read_footer(path: &Path, file: &mut BufReader<File>, length: u64) -> Result<(Vec<u8>, u64)> {
    let cut = || {
        let reason = "the file is cut off: it does not end with ARROW1; write the file again";
        fault(path, "its end", reason.to_owned())
    };
    let failed = |source| io(path, source);
    let trailer = length.checked_sub(TRAILER).ok_or_else(cut)?;
    file.seek(SeekFrom::Start(trailer)).map_err(failed)?;
    let mut bytes = [0; TRAILER as usize];
    file.read_exact(&mut bytes).map_err(failed)?;
    let [a, b, c, d, magic @ ..] = bytes;
    if magic != *b"ARROW1" {
        return Err(cut());
    }
    let size = u32::from_le_bytes([a, b, c, d]);
    let begin = (trailer.checked_sub(u64::from(size)))
        .filter(|begin| *begin >= PREAMBLE)
        .ok_or_else(cut)?;
    file.seek(SeekFrom::Start(begin)).map_err(failed)?;
    let mut footer = vec![0; size as usize];
    file.read_exact(&mut footer).map_err(failed)?;
    Ok((footer, begin))
}

impl Messages {
    pub(super) fn new(path: &Path, file: File) -> Result<Self> {
        let failed = |source| io(path, source);
        let length = file.metadata().map_err(failed)?.len();
        let mut messages = Self {
            path: path.to_owned(),
            file: BufReader::new(file),
            left: length,
            start: Start::Stream { schema: Vec::new() },
            read: 0,
        };
        messages.file.rewind().map_err(failed)?;
        let mut magic = [0; 6];
        if length >= PREAMBLE {
            messages.file.read_exact(&mut magic).map_err(failed)?;
        }
        if magic == *b"ARROW1" {
            let (footer, end) = read_footer(path, &mut messages.file, length)?;
            let places = messages.places(&footer, end)?;
            messages.left = end;
            messages.start = Start::File { footer, places };
        } else {
            messages.file.rewind().map_err(failed)?;
            let Some((schema, body)) = messages.header()? else {
                return Err(messages.damaged("it holds no message; expected a schema"));
            };
            messages.skip(body)?;
            messages.start = Start::Stream { schema };
        }
        Ok(messages)
    }

    /// Where the messages of a file begin, dictionaries first; all before `end`.
    fn places(&self, footer: &[u8], end: u64) -> Result<Vec<u64>> {
        let footer = parse_footer(&self.path, footer)?;
        let dictionaries = footer.dictionaries().into_iter().flatten();
        let batches = footer.recordBatches().into_iter().flatten();
        dictionaries
            .chain(batches)
            .map(|block| match u64::try_from(block.offset()) {
                Ok(place) if (PREAMBLE..end).contains(&place) => Ok(place),
                _ => Err(self.damaged("a message lies outside the file")),
            })
            .collect()
    }

    /// The schema of all batches.
    pub(super) fn schema(&self) -> Result<Schema<'_>> {
        let schema = match &self.start {
            Start::File { footer, .. } => parse_footer(&self.path, footer)?.schema(),
            Start::Stream { schema } => parse(&self.path, schema)?.header_as_schema(),
        };
        schema.ok_or_else(|| self.damaged("it does not begin with a schema"))
    }

    /// The sum of the rows of all batches that follow; reading goes on where it was.
    pub(super) fn count_rows(&mut self) -> Result<u64> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| io(&path, source)
        };
        let place = self.file.stream_position().map_err(failed(&self.path))?;
        let (left, read) = (self.left, self.read);
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
        (self.left, self.read) = (left, read);
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
        if let Start::File { places, .. } = &self.start {
            let Some(&place) = places.get(self.read) else {
                return Ok(None);
            };
            self.read += 1;
            let found = self.file.seek(SeekFrom::Start(place));
            found.map_err(|source| io(&self.path, source))?;
        } else if self.left == 0 {
            return Ok(None);
        }
        let mut size = self.number()?;
        // Before version 0.15 no marker stood before the size.
        if size == u32::MAX {
            size = self.number()?;
        }
        if size == 0 {
            return match self.start {
                Start::Stream { .. } => Ok(None),
                Start::File { .. } => Err(self.damaged("a message has no header")),
            };
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
