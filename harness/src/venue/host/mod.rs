//! The host venue: this kernel.
