//! Packets: live frames through BPF_PROG_TEST_RUN.
