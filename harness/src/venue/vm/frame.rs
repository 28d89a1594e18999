//! Lines on the serial port: each carries its number and a checksum, so that a lost, cut or altered line is seen.
//!
//! A frame is `<kind><sequence> <crc32> <payload>\n`, sequence from 0 in decimal, checksum in 8 hexadecimal digits over
//! kind, sequence and payload. The guest's last frame is always [`Kind::Done`] or [`Kind::Failed`].

use serde::{Deserialize, Serialize};

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The guest is up: a [`Started`] as JSON.
    Started,
    /// A line of the job's output.
    Line,
    /// The job ended well: a [`Finished`] as JSON.
    Done,
    /// The guest or its job failed: the message.
    Failed,
}

/// Boot figures, sent before the job starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// `uname -r` of the guest.
    pub release: String,
    /// `CLOCK_BOOTTIME` when init started, nanoseconds (instructions under icount).
    pub init_ns: u64,
    /// The same when modules were loaded and the job could start.
    pub ready_ns: u64,
    /// Modules that the guest's kernel refused, with the reason.
    pub refused_modules: Vec<(String, String)>,
}

/// Figures at the job's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// `CLOCK_BOOTTIME` at the job's end, nanoseconds (instructions under icount).
    pub end_ns: u64,
}

/// Why a line of the serial port is not the frame that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not of the form of a frame, or a checksum that does not fit.
    #[error("damaged line on the serial port: {0:?}")]
    Damaged(String),
    /// A sound frame, but others are missing before it.
    #[error("line {got} on the serial port where line {expected} was due")]
    OutOfOrder {
        /// Number that was due.
        expected: u64,
        /// Number that came.
        got: u64,
    },
}

impl Kind {
    fn letter(self) -> char {
        match self {
            Self::Started => 'B',
            Self::Line => 'L',
            Self::Done => 'D',
            Self::Failed => 'E',
        }
    }

    fn from_letter(letter: char) -> Option<Self> {
        [Self::Started, Self::Line, Self::Done, Self::Failed].into_iter().find(|kind| kind.letter() == letter)
    }
}

/// Numbers and renders frames: the guest's end.
#[derive(Debug, Default)]
pub struct Encoder {
    next: u64,
}

impl Encoder {
    /// Renders the next frame. Line breaks in `payload` become spaces.
    pub fn encode(&mut self, kind: Kind, payload: &str) -> String {
        let payload = payload.replace(['\n', '\r'], " ");
        let head = format!("{}{}", kind.letter(), self.next);
        self.next += 1;
        format!("{head} {:08x} {payload}\n", checksum(&head, &payload))
    }
}

/// Checks frames and their order: the host's end.
#[derive(Debug, Default)]
pub struct Decoder {
    next: u64,
}

impl Decoder {
    /// Takes one line without its line break.
    pub fn decode<'a>(&mut self, line: &'a str) -> Result<(Kind, &'a str), FrameError> {
        let (kind, got, payload) = parse(line).ok_or_else(|| FrameError::Damaged(excerpt(line)))?;
        if got != self.next {
            return Err(FrameError::OutOfOrder { expected: self.next, got });
        }
        self.next += 1;
        Ok((kind, payload))
    }
}

fn parse(line: &str) -> Option<(Kind, u64, &str)> {
    let (head, rest) = line.split_once(' ')?;
    let (sum, payload) = rest.split_once(' ')?;
    let kind = Kind::from_letter(head.chars().next()?)?;
    let number = head.get(1..)?.parse().ok()?;
    let sound = u32::from_str_radix(sum, 16).ok()? == checksum(head, payload);
    sound.then_some((kind, number, payload))
}

fn excerpt(line: &str) -> String {
    line.chars().take(120).collect()
}

fn checksum(head: &str, payload: &str) -> u32 {
    crc32([head, "\n", payload].into_iter().flat_map(str::bytes))
}

/// CRC-32 of IEEE 802.3, bit by bit: lines are short and few.
fn crc32(bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn crc32_of_the_standard_check_string() {
        assert_eq!(crc32("123456789".bytes()), 0xcbf4_3926);
    }

    #[test]
    fn a_missing_line_is_seen() {
        let mut encoder = Encoder::default();
        let lines: Vec<_> = (0..3).map(|i| encoder.encode(Kind::Line, &i.to_string())).collect();
        let mut decoder = Decoder::default();
        decoder.decode(lines[0].trim_end()).unwrap();
        assert_eq!(decoder.decode(lines[2].trim_end()), Err(FrameError::OutOfOrder { expected: 1, got: 2 }));
    }

    proptest! {
        #[test]
        fn round_trip(payloads in prop::collection::vec("[^\r\n]*", 1..8)) {
            let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
            for payload in &payloads {
                let line = encoder.encode(Kind::Line, payload);
                prop_assert_eq!(decoder.decode(line.strip_suffix('\n').unwrap()), Ok((Kind::Line, payload.as_str())));
            }
        }

        #[test]
        fn a_cut_or_altered_line_is_refused(payload in "[ -~]{1,40}", at in 0usize..64, flip in 1u8..128) {
            let line = Encoder::default().encode(Kind::Line, &payload);
            let line = line.trim_end_matches('\n');
            let at = at % line.len();
            prop_assert!(Decoder::default().decode(&line[..at]).is_err());
            let mut altered = line.as_bytes().to_vec();
            altered[at] = (altered[at] ^ flip) & 0x7f;
            let altered = String::from_utf8(altered).unwrap();
            prop_assume!(!altered.eq_ignore_ascii_case(line));
            prop_assert!(Decoder::default().decode(&altered).is_err());
        }
    }
}
