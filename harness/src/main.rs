//! The lbcurve command.
fn main() {}
