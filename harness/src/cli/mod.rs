//! The command line: raw arguments to validated ones, errors to exit codes.
