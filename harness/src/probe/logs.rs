//! Brings what the eBPF programs log to tracing.

/// Forwards records of the `log` crate, which aya-log speaks, to tracing.
#[derive(Debug, Clone, Copy)]
pub(super) struct ToTracing;

impl log::Log for ToTracing {
    fn enabled(&self, _metadata: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        match record.level() {
            log::Level::Error => tracing::error!(target: "datapath", "{}", record.args()),
            log::Level::Warn => tracing::warn!(target: "datapath", "{}", record.args()),
            _ => tracing::info!(target: "datapath", "{}", record.args()),
        }
    }

    fn flush(&self) {}
}
