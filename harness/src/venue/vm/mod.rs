//! The vm venue: a stock kernel in QEMU, this binary as its init.
