//! User space's licence to copy the shared types in and out of maps.
#![expect(unsafe_code, reason = "aya::Pod is an unsafe trait: it promises that any bytes may be copied as they are")]

use aya::Pod;

use crate::decision::Decision;
use crate::probe::{ProbeConfig, Slot};
use crate::traffic::{Gate, Generated, GeneratorConfig, Replies, Target};

// SAFETY: repr(C), made of integers and arrays of them, without padding.
unsafe impl Pod for Slot {}
// SAFETY: as above.
unsafe impl Pod for ProbeConfig {}
// SAFETY: as above.
unsafe impl Pod for GeneratorConfig {}
// SAFETY: as above.
unsafe impl Pod for Generated {}
// SAFETY: as above.
unsafe impl Pod for Gate {}
// SAFETY: as above.
unsafe impl Pod for Target {}
// SAFETY: as above.
unsafe impl Pod for Replies {}
// SAFETY: as above.
unsafe impl Pod for Decision {}
