//! The datapaths under test: render, apply, verify, clear.
