//! User space's licence to copy the schedule in and the progress out of maps.
#![expect(unsafe_code, reason = "aya::Pod is an unsafe trait: it promises that any bytes may be copied as they are")]

use aya::Pod;

use super::{ArrivalConfig, Lengths, Mix, Progress, Schedule};

// SAFETY: repr(C), made of 64-bit integers, without padding.
unsafe impl Pod for Schedule {}
// SAFETY: as above.
unsafe impl Pod for Progress {}
// SAFETY: repr(C), made of integers, its padding is a field of its own.
unsafe impl Pod for ArrivalConfig {}
// SAFETY: repr(C), made of integers and an array of them, without padding.
unsafe impl Pod for Lengths {}
// SAFETY: repr(C), made of integers, its padding is a field of its own.
unsafe impl Pod for Mix {}
