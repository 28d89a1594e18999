//! The little of ELF64 that the vm venue needs: is a file whole, and how long is the part that is loaded.

/// `e_machine` of x86-64.
const EM_X86_64: u16 = 62;
/// `p_type` of a loadable segment.
const PT_LOAD: u32 = 1;
/// Bytes of an ELF64 file header.
const HEADER: usize = 64;
/// Bytes of an ELF64 program header.
const PROGRAM_HEADER: usize = 56;

/// Why bytes are not an x86-64 ELF file that can be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// No ELF64 little-endian header.
    #[error("not a 64-bit ELF file")]
    NotElf64,
    /// For another processor.
    #[error("built for ELF machine {0}, not for x86-64")]
    WrongMachine(u16),
    /// Headers point beyond the end of the file.
    #[error("cut off: {needed} bytes are loaded, the file has {len}")]
    Truncated {
        /// End of the last loaded byte.
        needed: u64,
        /// Length of the file.
        len: u64,
    },
}

/// End of the last byte of `file` that program headers load; everything after it (symbols, debug information) is not
/// needed to run the file.
pub(crate) fn loaded_len(file: &[u8]) -> Result<usize, ElfError> {
    if file.len() < HEADER || !file.starts_with(b"\x7fELF\x02\x01") {
        return Err(ElfError::NotElf64);
    }
    let machine = u16_at(file, 18);
    if machine != EM_X86_64 {
        return Err(ElfError::WrongMachine(machine));
    }
    let table_end = u64_at(file, 32).saturating_add(u64::from(u16_at(file, 56)) * PROGRAM_HEADER as u64);
    let len = file.len() as u64;
    if table_end > len {
        return Err(ElfError::Truncated { needed: table_end, len });
    }
    let needed = program_headers(file).filter_map(load_end).fold(table_end, u64::max);
    if needed > len { Err(ElfError::Truncated { needed, len }) } else { Ok(needed as usize) }
}

/// `file` without what is not loaded: symbols, debug information and the section table. As it came when it is no ELF.
pub(crate) fn strip(mut file: Vec<u8>) -> Vec<u8> {
    let Ok(len) = loaded_len(&file) else { return file };
    file.truncate(len);
    // e_shoff, then e_shentsize is kept, e_shnum and e_shstrndx: no section table any more.
    file[40..48].fill(0);
    file[60..64].fill(0);
    file
}

fn program_headers(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    let start = u64_at(file, 32) as usize;
    let count = usize::from(u16_at(file, 56));
    file[start..].chunks_exact(PROGRAM_HEADER).take(count)
}

fn load_end(header: &[u8]) -> Option<u64> {
    (u32_at(header, 0) == PT_LOAD).then(|| u64_at(header, 8).saturating_add(u64_at(header, 32)))
}

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..at + N).and_then(|slice| slice.try_into().ok()).unwrap_or([0; N])
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes_at(bytes, at))
}

/// Little-endian word at `at`, 0 beyond the end.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes_at(bytes, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Vec<u8> {
        std::fs::read("/proc/self/exe").unwrap()
    }

    #[test]
    fn stripping_drops_only_what_is_not_loaded() {
        let (whole, stripped) = (own(), strip(own()));
        assert_eq!(loaded_len(&stripped), Ok(stripped.len()));
        assert!(stripped.len() < whole.len());
        assert!(stripped[HEADER..] == whole[HEADER..stripped.len()]);
        assert_eq!(strip(b"#!/bin/sh".to_vec()), b"#!/bin/sh");
    }

    #[test]
    fn a_cut_file_is_seen() {
        let whole = own();
        let len = loaded_len(&whole).unwrap();
        assert!(matches!(loaded_len(&whole[..len - 1]), Err(ElfError::Truncated { .. })));
        assert!(matches!(loaded_len(&whole[..80]), Err(ElfError::Truncated { .. })));
        assert_eq!(loaded_len(b"MZ"), Err(ElfError::NotElf64));
    }

    #[test]
    fn another_processor_is_named() {
        let mut file = own();
        file[18] = 183;
        assert_eq!(loaded_len(&file), Err(ElfError::WrongMachine(183)));
    }
}
