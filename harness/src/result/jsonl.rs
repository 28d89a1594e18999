//! One JSON record a line: appended as trials finish, readable after a killed run.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a file of records cannot be read or appended to.
#[derive(Debug, thiserror::Error)]
pub enum JsonlError {
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A finished line is not a record.
    #[error("{}:{line}: not a record", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The last line of a finished run has no end.
    #[error("{}:{line}: cut in mid-line", path.display())]
    Cut {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
    },
    /// A line that is longer than any record.
    #[error("{}:{line}: longer than any record", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
    },
    /// A record cannot be written as JSON.
    #[error("cannot encode a record for {}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// Records of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines<T> {
    /// Every finished line.
    pub records: Vec<T>,
    /// Bytes of a last line that a killed run left unfinished (no line feed); 0 when there is none.
    pub truncated: usize,
}

/// Reads every finished line of a file; a file that does not exist has none.
///
/// # Errors
/// The file cannot be read, or a finished line is not a `T`.
pub fn read_jsonl<T: DeserializeOwned>(path: &Path) -> Result<Lines<T>, JsonlError> {
    match std::fs::read(path) {
        Ok(bytes) => parse_jsonl(&bytes, path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Lines { records: Vec::new(), truncated: 0 }),
        Err(source) => Err(JsonlError::Io { action: "read", path: path.to_owned(), source }),
    }
}

/// Parses the bytes of a file of records; `path` is for errors only. Blank lines are passed over.
///
/// # Errors
/// A finished line is not a `T`.
pub fn parse_jsonl<T: DeserializeOwned>(bytes: &[u8], path: &Path) -> Result<Lines<T>, JsonlError> {
    let finished = finished(bytes);
    let lines = bytes[..finished].split(|&byte| byte == b'\n').enumerate();
    let records = lines
        .filter(|(_, line)| !line.iter().all(u8::is_ascii_whitespace))
        .map(|(index, line)| {
            serde_json::from_slice(line).map_err(|source| JsonlError::Parse {
                path: path.to_owned(),
                line: index + 1,
                source,
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(Lines { records, truncated: bytes.len() - finished })
}

/// Records of a finished run's file, one line in memory at a time.
#[derive(Debug)]
pub struct RecordStream<R, T> {
    path: PathBuf,
    reader: R,
    line: usize,
    buffer: Vec<u8>,
    ended: bool,
    record: PhantomData<T>,
}

/// The longest line: a histogram with every bucket in use takes less.
const LONGEST_LINE: u64 = 1 << 20;

/// Opens a finished run's file of records to be read line by line. An unfinished last line is an error here, since no run writes
/// into the file any more.
///
/// # Errors
/// The file cannot be opened.
pub fn stream_jsonl<T: DeserializeOwned>(path: &Path) -> Result<RecordStream<BufReader<Records>, T>, JsonlError> {
    let records =
        open_records(path).map_err(|source| JsonlError::Io { action: "read", path: path.to_owned(), source })?;
    Ok(RecordStream::new(BufReader::new(records), path))
}

/// The bytes of a file of records.
pub type Records = Box<dyn Read>;

/// The file, or where only its compressed form is published (`trials.jsonl.xz`), that.
fn open_records(path: &Path) -> io::Result<Records> {
    let mut compressed = path.as_os_str().to_owned();
    compressed.push(".xz");
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && Path::new(&compressed).exists() => {
            Ok(Box::new(liblzma::read::XzDecoder::new(File::open(compressed)?)))
        }
        opened => Ok(Box::new(opened?)),
    }
}

impl<R: BufRead, T: DeserializeOwned> RecordStream<R, T> {
    /// Reads records from `reader`; `path` is for errors only.
    pub fn new(reader: R, path: &Path) -> Self {
        let (path, buffer) = (path.to_owned(), Vec::new());
        Self { path, reader, line: 0, buffer, ended: false, record: PhantomData }
    }

    /// The next finished line, without its end; none at the end of the file.
    fn next_line(&mut self) -> Result<Option<&[u8]>, JsonlError> {
        let (path, line) = (|| self.path.clone(), self.line + 1);
        self.buffer.clear();
        let read = self.reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.buffer);
        let read = read.map_err(|source| JsonlError::Io { action: "read", path: path(), source })?;
        self.line = line;
        match self.buffer.split_last() {
            None => Ok(None),
            Some((b'\n', finished)) => Ok(Some(finished)),
            Some(_) if read as u64 == LONGEST_LINE => Err(JsonlError::TooLong { path: path(), line }),
            Some(_) => Err(JsonlError::Cut { path: path(), line }),
        }
    }

    fn next_record(&mut self) -> Result<Option<T>, JsonlError> {
        loop {
            match self.next_line()? {
                None => return Ok(None),
                Some(blank) if blank.iter().all(u8::is_ascii_whitespace) => {}
                Some(text) => {
                    let parsed = serde_json::from_slice(text);
                    let (path, line) = (&self.path, self.line);
                    return parsed.map(Some).map_err(|source| JsonlError::Parse { path: path.clone(), line, source });
                }
            }
        }
    }
}

impl<R: BufRead, T: DeserializeOwned> Iterator for RecordStream<R, T> {
    type Item = Result<T, JsonlError>;

    /// After an error there is nothing more: what follows a damaged line cannot be trusted.
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_record().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// Length of the bytes up to and including the last line feed.
fn finished(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1)
}

/// Appends records to a file, each in one write with its line feed.
#[derive(Debug)]
pub struct JsonlWriter {
    path: PathBuf,
    file: File,
}

impl JsonlWriter {
    /// Opens a file for appending, made when it does not exist. An unfinished last line is cut off first, so that the next
    /// record does not continue it.
    ///
    /// # Errors
    /// The file cannot be opened, read or cut.
    pub fn append_to(path: &Path) -> Result<Self, JsonlError> {
        let io = |action| move |source| JsonlError::Io { action, path: path.to_owned(), source };
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(io("open"))?;
        let bytes = std::fs::read(path).map_err(io("read"))?;
        let finished = finished(&bytes);
        if finished < bytes.len() {
            file.set_len(finished as u64).map_err(io("cut the unfinished last line of"))?;
        }
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends one record; when it returns, the record survives a kill of this process.
    ///
    /// # Errors
    /// The record cannot be encoded, or the file cannot be written (a full disk).
    pub fn append<T: Serialize>(&mut self, record: &T) -> Result<(), JsonlError> {
        let mut line =
            serde_json::to_vec(record).map_err(|source| JsonlError::Encode { path: self.path.clone(), source })?;
        line.push(b'\n');
        let written = self.file.write_all(&line).and_then(|()| self.file.flush());
        written.map_err(|source| JsonlError::Io { action: "append to", path: self.path.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_truncated_last_line_is_dropped_and_then_cut() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("trials.jsonl");
        std::fs::write(&path, "1\n2\n3").unwrap();
        assert_eq!(read_jsonl::<u32>(&path).unwrap(), Lines { records: vec![1, 2], truncated: 1 });
        JsonlWriter::append_to(&path).unwrap().append(&4).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n2\n4\n");
    }

    #[test]
    fn a_broken_finished_line_is_named() {
        let error = parse_jsonl::<u32>(b"1\n\n{\n4\n", Path::new("trials.jsonl")).unwrap_err();
        assert_eq!(error.to_string(), "trials.jsonl:3: not a record");
    }

    #[test]
    fn a_stream_reads_line_by_line_and_ends_at_the_first_damage() {
        let read = |text: &str| {
            let stream = RecordStream::<_, u32>::new(text.as_bytes(), Path::new("trials.jsonl"));
            stream.map(|record| record.map_err(|error| error.to_string())).collect::<Vec<_>>()
        };
        assert_eq!(read("1\n\n2\n"), [Ok(1), Ok(2)]);
        assert_eq!(read(""), []);
        assert_eq!(read("1\n2"), [Ok(1), Err("trials.jsonl:2: cut in mid-line".into())]);
        assert_eq!(read("1\nx\n2\n"), [Ok(1), Err("trials.jsonl:2: not a record".into())]);
        let long = format!("1\n{}\n", " ".repeat(2 << 20));
        assert_eq!(read(&long), [Ok(1), Err("trials.jsonl:2: longer than any record".into())]);
    }

    #[test]
    fn compressed_records_read_as_plain_ones_do() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("trials.jsonl");
        let file = File::create(directory.path().join("trials.jsonl.xz")).unwrap();
        let mut encoder = liblzma::write::XzEncoder::new(file, 6);
        encoder.write_all(b"1\n2\n").unwrap();
        encoder.finish().unwrap();
        let records: Result<Vec<u32>, _> = stream_jsonl(&path).unwrap().collect();
        assert_eq!(records.unwrap(), [1, 2]);
    }

    #[test]
    fn a_missing_file_has_no_records_and_a_missing_folder_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        assert!(read_jsonl::<u32>(&directory.path().join("none")).unwrap().records.is_empty());
        assert!(JsonlWriter::append_to(&directory.path().join("no/folder")).is_err());
    }

    proptest! {
        #[test]
        fn a_cut_anywhere_loses_only_the_cut_record(records in prop::collection::vec(any::<u32>(), 0..20), cut in 0..100_usize) {
            let text: String = records.iter().map(|record| format!("{record}\n")).collect();
            let bytes = &text.as_bytes()[..cut.min(text.len())];
            let lines = parse_jsonl::<u32>(bytes, Path::new("x")).unwrap();
            prop_assert_eq!(&records[..lines.records.len()], &lines.records[..]);
            prop_assert!(bytes.len() - lines.truncated <= text.len());
        }
    }
}
