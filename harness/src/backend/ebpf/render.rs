//! What is programmed, as text.

use std::fmt::Write;

use datapath_common::balancer::ServiceKey;

use super::Hook;
use super::compare::{endpoint_name, name};
use super::layout::{FLOWS, Layout, Sizes, Writes};
use crate::backend::{Document, Rendered};
use crate::net::{NODE_BACKEND_DEVICE, NODE_CLIENT_DEVICE};
use crate::workload::Workload;

/// The elements of every map, then the programs on their devices.
pub(super) fn render(hook: Hook, workload: &Workload) -> Rendered {
    let sizes = Sizes::of(workload);
    let mut layout = Layout::new(workload.endpoint_choice, sizes);
    let mut writes = Writes::default();
    let refused: String = workload
        .services
        .iter()
        .filter_map(|service| layout.add(service, &mut writes).err())
        .map(|error| format!("{error}\n"))
        .collect();
    let document = |command: String, text| Document { command, text };
    let map = |map: &str, size: u32| format!("bpf(2): map {map}, {size} elements");
    let mut rendered = Rendered {
        documents: vec![
            document(map("CONFIG", 1), format!("node {}\n", workload.addresses.node_addr)),
            document(map("CONNECTIONS and REPLIES", FLOWS), String::new()),
            document(map("ENDPOINTS", sizes.endpoints), endpoints(&writes)),
            document(map("MAGLEV", sizes.slots), slots(&writes)),
            document(map("SERVICES", sizes.services), services(&writes)),
            document(attached_by(hook), attachments(hook)),
        ],
    };
    if !refused.is_empty() {
        rendered.documents.push(document("not programmed".into(), refused));
    }
    rendered
}

fn endpoints(writes: &Writes) -> String {
    let mut text = String::new();
    for (index, endpoint) in &writes.endpoints {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{index} {}", endpoint_name(endpoint));
    }
    text
}

fn slots(writes: &Writes) -> String {
    let mut text = String::new();
    for (index, slots) in &writes.slots {
        let _ = writeln!(text, "{index} {slots:?}");
    }
    text
}

fn services(writes: &Writes) -> String {
    let mut text = String::new();
    for (key, entry) in &writes.services {
        let _ = match (key, entry.count) {
            (key, _) if *key == ServiceKey::wildcard(key.addr) => writeln!(text, "{} rejected", name(key)),
            (key, 0) => writeln!(text, "{} without endpoints", name(key)),
            (key, count) if entry.slots == 0 => {
                writeln!(text, "{} endpoints {} + {count}, at random", name(key), entry.first)
            }
            (key, count) => {
                let (first, table, slots) = (entry.first, entry.table, entry.slots);
                writeln!(text, "{} endpoints {first} + {count}, Maglev slots {table} + {slots}", name(key))
            }
        };
    }
    text
}

fn attached_by(hook: Hook) -> String {
    match hook {
        Hook::Tc => "route netlink: clsact, ingress".into(),
        Hook::Xdp => "bpf(2): XDP links, native".into(),
    }
}

fn attachments(hook: Hook) -> String {
    let devices = [NODE_CLIENT_DEVICE, NODE_BACKEND_DEVICE];
    hook.programs().into_iter().zip(devices).map(|(program, device)| format!("{device} {program}\n")).collect()
}
