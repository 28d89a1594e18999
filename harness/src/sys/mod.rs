//! Every unsafe block and raw syscall.
