//! Loads the eBPF probe and reads its histograms.
