//! What eBPF and user space share.
#![no_std]
