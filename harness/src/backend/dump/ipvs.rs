//! Sections of `ipset save` and of the collected state of the IPVS mode.

use super::sections::Sections;

/// Depends on the machine's memory (net/netfilter/ipvs/ip_vs_ctl.c).
const MEMORY_DEPENDENT: &str = "net.ipv4.vs.sync_qlen_max = ";

/// Sets with their options, and entries.
pub(super) fn sets(text: &str) -> Sections {
    let mut sections = Sections::default();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.split_once(" initval ") {
            Some((before, seed)) if line.starts_with("create ") => {
                let rest = seed.split_once(' ').map_or("", |(_, rest)| rest);
                sections.unordered("sets", format!("{before} initval, {rest}"));
            }
            _ if line.starts_with("create ") => sections.unordered("sets", line),
            _ => sections.unordered("entries", line),
        }
    }
    sections
}

/// The parts under `# ` headings: `ipvsadm -Sn` has none.
pub(super) fn state(text: &str) -> Sections {
    let mut sections = Sections::default();
    let mut part = "ipvsadm -Sn";
    let mut service = String::new();
    let mut lines = text.lines().filter(|line| !line.is_empty()).peekable();
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix("# ") {
            part = heading;
            sections.ordered("parts", heading);
            service.clear();
            continue;
        }
        match part {
            "/proc/net/ip_vs" => table_line(&mut sections, line, &mut service),
            "ip -d addr show kube-ipvs0" => {
                let lifetime = lines.next_if(|next| {
                    line.trim_start().starts_with("inet ") && next.trim_start().starts_with("valid_lft")
                });
                address_line(&mut sections, line, lifetime);
            }
            "sysctls" => sections.unordered(part, sysctl(line)),
            "ipvsadm -Sn" => sections.unordered(part, line),
            _ => sections.ordered(part, line),
        }
    }
    sections
}

/// Services come in the hash table's order and endpoints in the order of their programming, which kube-proxy draws.
fn table_line(sections: &mut Sections, line: &str, service: &mut String) {
    let is_heading = |line: &str| {
        line.starts_with("IP Virtual Server")
            || line.contains("LocalAddress:Port")
            || line.contains("RemoteAddress:Port")
    };
    if is_heading(line) && service.is_empty() {
        sections.ordered("/proc/net/ip_vs, headings", line);
    } else if line.starts_with("  -> ") {
        sections.unordered(&format!("/proc/net/ip_vs, endpoints of {service}"), line);
    } else {
        line.clone_into(service);
        sections.unordered("/proc/net/ip_vs, services", line);
    }
}

/// An address and its lifetime are one entry, and addresses come in the order of their programming, which kube-proxy draws.
fn address_line(sections: &mut Sections, line: &str, lifetime: Option<&str>) {
    match line.trim_start().strip_prefix("link/ether ") {
        Some(link) => {
            let rest = link.split_once(' ').map_or("", |(_, rest)| rest);
            sections.ordered("ip -d addr show kube-ipvs0", format!("link/ether, {rest}"));
        }
        None if line.trim_start().starts_with("inet ") => {
            sections.unordered("addresses of kube-ipvs0", [line, lifetime.unwrap_or_default()].join(" "));
        }
        None => sections.ordered("ip -d addr show kube-ipvs0", line),
    }
}

fn sysctl(line: &str) -> &str {
    if line.starts_with(MEMORY_DEPENDENT) { MEMORY_DEPENDENT } else { line }
}
