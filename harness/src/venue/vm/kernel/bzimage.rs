//! From a bzImage to the ELF `vmlinux` that QEMU boots by PVH (Documentation/arch/x86/boot.rst).

use std::io;

use super::super::elf::{self, ElfError, u32_at};

/// Offset of the boot sector's signature and its value.
const BOOT_FLAG: (usize, [u8; 2]) = (0x1fe, [0x55, 0xaa]);
/// Offset of the setup header's magic and its value.
const HEADER_MAGIC: (usize, &[u8]) = (0x202, b"HdrS");
/// Offset of the number of setup sectors.
const SETUP_SECTS: usize = 0x1f1;
/// Offset of the payload's offset from the protected-mode code (protocol 2.08 and later).
const PAYLOAD_OFFSET: usize = 0x248;
/// Offset of the payload's length.
const PAYLOAD_LENGTH: usize = 0x24c;
/// What stands before the release in `linux_banner`.
const BANNER: &[u8] = b"Linux version ";

/// Why a file is not a kernel that can be booted.
#[derive(Debug, thiserror::Error)]
pub enum KernelFileError {
    /// Neither a bzImage nor ELF.
    #[error("neither a bzImage (vmlinuz) nor an ELF vmlinux")]
    NotAKernel,
    /// Ends before its payload does.
    #[error("cut off: the payload ends at byte {needed}, the file at {len}; get it again")]
    Truncated {
        /// End of the payload.
        needed: u64,
        /// Length of the file.
        len: u64,
    },
    /// Compressed by something else.
    #[error("payload compressed in an unknown way (starts with {0:02x?}); xz and zstd are known")]
    UnknownCompression(Vec<u8>),
    /// The payload does not decompress.
    #[error("payload is damaged; get the file again")]
    Damaged(#[source] io::Error),
    /// The kernel's ELF file is not whole.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// No version banner inside.
    #[error("no \"Linux version\" inside")]
    NoRelease,
}

/// The ELF kernel inside `file`, which may be that kernel itself. Sections that are not loaded are left out.
pub(super) fn vmlinux(file: Vec<u8>) -> Result<Vec<u8>, KernelFileError> {
    let kernel = if file.starts_with(b"\x7fELF") { file } else { decompress(payload(&file)?)? };
    elf::loaded_len(&kernel)?;
    Ok(kernel)
}

/// `uname -r` of an uncompressed kernel.
pub(super) fn release(vmlinux: &[u8]) -> Option<String> {
    let at = vmlinux.windows(BANNER.len()).position(|window| window == BANNER)? + BANNER.len();
    let word = vmlinux[at..].split(|byte| byte.is_ascii_whitespace()).next()?;
    String::from_utf8(word.to_vec()).ok().filter(|release| !release.is_empty())
}

fn payload(file: &[u8]) -> Result<&[u8], KernelFileError> {
    let has = |(at, bytes): (usize, &[u8])| file.get(at..at + bytes.len()) == Some(bytes);
    if !has((BOOT_FLAG.0, &BOOT_FLAG.1)) || !has(HEADER_MAGIC) {
        return Err(KernelFileError::NotAKernel);
    }
    // A count of 0 means 4, for historical reasons.
    let sectors = if file[SETUP_SECTS] == 0 { 4 } else { u64::from(file[SETUP_SECTS]) };
    let start = (sectors + 1) * 512 + u64::from(u32_at(file, PAYLOAD_OFFSET));
    let needed = start + u64::from(u32_at(file, PAYLOAD_LENGTH));
    let len = file.len() as u64;
    file.get(start as usize..needed as usize).ok_or(KernelFileError::Truncated { needed, len })
}

fn decompress(payload: &[u8]) -> Result<Vec<u8>, KernelFileError> {
    match payload {
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => read_all(liblzma::read::XzDecoder::new(payload)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(payload).map_err(io::Error::other);
            read_all(decoder.map_err(KernelFileError::Damaged)?)
        }
        [0x7f, b'E', b'L', b'F', ..] => Ok(payload.to_vec()),
        _ => Err(KernelFileError::UnknownCompression(payload.iter().take(6).copied().collect())),
    }
}

fn read_all(mut reader: impl io::Read) -> Result<Vec<u8>, KernelFileError> {
    let mut content = Vec::new();
    reader.read_to_end(&mut content).map_err(KernelFileError::Damaged)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// A bzImage of one setup sector with `payload` 16 bytes into its protected-mode code.
    fn image(payload: &[u8]) -> Vec<u8> {
        let mut file = vec![0; 1024 + 16];
        file[BOOT_FLAG.0..][..2].copy_from_slice(&BOOT_FLAG.1);
        file[HEADER_MAGIC.0..][..4].copy_from_slice(HEADER_MAGIC.1);
        file[SETUP_SECTS] = 1;
        file[PAYLOAD_OFFSET..][..4].copy_from_slice(&16u32.to_le_bytes());
        file[PAYLOAD_LENGTH..][..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        file.extend(payload);
        // Real images have a signature behind the payload.
        file.extend([0xee; 32]);
        file
    }

    fn elf() -> Vec<u8> {
        std::fs::read("/bin/sh").unwrap()
    }

    #[test]
    fn an_xz_payload_with_the_x86_filter_is_unpacked() {
        use liblzma::stream::{Check, Filters, LzmaOptions, Stream};
        let mut filters = Filters::new();
        filters.x86().lzma2(&LzmaOptions::new_preset(0).unwrap());
        let stream = Stream::new_stream_encoder(&filters, Check::Crc32).unwrap();
        let mut packed = Vec::new();
        liblzma::read::XzEncoder::new_stream(elf().as_slice(), stream).read_to_end(&mut packed).unwrap();
        assert!(vmlinux(image(&packed)).unwrap() == elf());
        let cut = packed.len() / 2;
        assert!(matches!(vmlinux(image(&packed[..cut])), Err(KernelFileError::Damaged(_))));
        let whole = image(&packed);
        assert!(matches!(vmlinux(whole[..whole.len() - 40].to_vec()), Err(KernelFileError::Truncated { .. })));
    }

    #[test]
    fn a_zstd_payload_is_unpacked() {
        use ruzstd::encoding::{CompressionLevel, compress_to_vec};
        let packed = compress_to_vec(elf().as_slice(), CompressionLevel::Fastest);
        assert!(vmlinux(image(&packed)).unwrap() == elf());
    }

    #[test]
    fn other_files_are_refused() {
        assert!(matches!(vmlinux(b"hello".to_vec()), Err(KernelFileError::NotAKernel)));
        assert!(matches!(vmlinux(image(b"BZh9....")), Err(KernelFileError::UnknownCompression(_))));
        assert!(matches!(vmlinux(elf()[..4096].to_vec()), Err(KernelFileError::Elf(_))));
    }

    #[test]
    fn the_release_is_read_from_the_banner() {
        let kernel = b"..\0Linux version 6.1.0-56-amd64 (debian-kernel@lists.debian.org) (gcc)";
        assert_eq!(release(kernel).as_deref(), Some("6.1.0-56-amd64"));
        assert_eq!(release(b"nothing"), None);
    }
}
