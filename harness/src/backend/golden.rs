//! Golden files of what partial syncs program. `INSTA_UPDATE=always cargo test -p lbcurve rendered` rewrites them.

use crate::workload::{AddressPlan, Protocol, Service, VipLayout, Workload, WorkloadSpec};

/// Three services with two endpoints each.
pub(super) fn workload() -> Workload {
    let addresses = AddressPlan::default();
    let (layout, protocol) = (VipLayout::Sequential, Protocol::Tcp);
    let spec = WorkloadSpec { services: 3, endpoints: 2, layout, protocol, seed: 0, addresses };
    Workload::generate(&spec).expect("fits")
}

/// One of them.
pub(super) fn service() -> Service {
    workload().services.remove(0)
}

/// Compares texts under their headings with a golden file.
pub(super) fn assert(name: &str, texts: &[(&str, String)]) {
    let text: String = texts.iter().map(|(heading, text)| format!("## {heading}\n{text}")).collect();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    insta::with_settings!({ snapshot_path => folder, prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}
