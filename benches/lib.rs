//! Criterion benches of lbcurve.
