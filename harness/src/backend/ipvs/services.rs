//! IPVS's own table, read from `/proc/net/ip_vs`: every service and endpoint in one file.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::backend::BackendError;
use crate::net::ipvs::TABLE;
use crate::workload::{Endpoint, Protocol, Scheduling, Service, Workload};

/// Protocol as the file writes it, VIP and port.
type Key = (String, Ipv4Addr, u16);

/// A virtual service as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VirtualService {
    /// Scheduler, and flags behind it where there are any.
    pub scheduler: String,
    /// Real servers: address, port, forwarding method and weight.
    pub endpoints: BTreeSet<(Ipv4Addr, u16, String, u32)>,
}

/// Reads `/proc/net/ip_vs`.
///
/// # Errors
/// [`BackendError::Parse`] with the offending line.
pub fn parse_table(text: &str) -> Result<BTreeMap<Key, VirtualService>, BackendError> {
    let unreadable = |line: &str| BackendError::Parse { what: TABLE.into(), reason: format!("unexpected {line:?}") };
    let mut services: BTreeMap<Key, VirtualService> = BTreeMap::new();
    let mut current = None;
    for line in text.lines().skip_while(|line| !line.trim_start().starts_with("-> RemoteAddress")).skip(1) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["->", endpoint, method, weight, _, _] => {
                let (addr, port) = hexadecimal(endpoint).ok_or_else(|| unreadable(line))?;
                let weight = weight.parse().map_err(|_| unreadable(line))?;
                let service: Option<&mut VirtualService> = current.as_ref().and_then(|key| services.get_mut(key));
                let service = service.ok_or_else(|| unreadable(line))?;
                service.endpoints.insert((addr, port, (*method).to_owned(), weight));
            }
            [protocol, address, scheduler @ ..] => {
                let (addr, port) = hexadecimal(address).ok_or_else(|| unreadable(line))?;
                let key = ((*protocol).to_owned(), addr, port);
                services.entry(key.clone()).or_default().scheduler = scheduler.join(" ");
                current = Some(key);
            }
            [] => {}
            _ => return Err(unreadable(line)),
        }
    }
    Ok(services)
}

/// `0A60000A:0050`
fn hexadecimal(text: &str) -> Option<(Ipv4Addr, u16)> {
    let (addr, port) = text.split_once(':')?;
    Some((u32::from_str_radix(addr, 16).ok()?.into(), u16::from_str_radix(port, 16).ok()?))
}

/// What the kernel's table holds otherwise than `workload` wants.
pub(super) fn differences(workload: &Workload) -> Result<Vec<String>, BackendError> {
    let text = std::fs::read_to_string(TABLE).map_err(|source| BackendError::Read { path: TABLE.into(), source })?;
    let mut live = parse_table(&text)?;
    let mut differences = Vec::new();
    for service in &workload.services {
        let name = format!("the virtual service {}:{}", service.vip, service.port);
        match live.remove(&key(service)) {
            Some(found) => service_differences(&name, service, &found, workload.scheduling, &mut differences),
            None => differences.push(format!("{name} is missing")),
        }
    }
    differences.extend(live.keys().map(|(protocol, vip, port)| format!("{protocol} {vip}:{port} should not be there")));
    Ok(differences)
}

fn service_differences(
    name: &str,
    service: &Service,
    live: &VirtualService,
    scheduling: Scheduling,
    differences: &mut Vec<String>,
) {
    let scheduler = scheduling.name();
    if live.scheduler != scheduler {
        differences.push(format!("{name} has the scheduler {:?} instead of {scheduler:?}", live.scheduler));
    }
    let expected: BTreeSet<_> =
        service.endpoints.iter().map(|endpoint| real_server(service, endpoint, scheduling)).collect();
    let missing = expected.difference(&live.endpoints).map(|endpoint| format!("{name} lacks {endpoint:?}"));
    let extra = live.endpoints.difference(&expected).map(|endpoint| format!("{name} has {endpoint:?} too much"));
    differences.extend(missing.chain(extra));
}

fn key(service: &Service) -> Key {
    let protocol = match service.protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
    };
    (protocol.to_owned(), service.vip, service.port)
}

fn real_server(service: &Service, endpoint: &Endpoint, scheduling: Scheduling) -> (Ipv4Addr, u16, String, u32) {
    (endpoint.addr, endpoint.port, "Masq".to_owned(), scheduling.programmed(service, endpoint))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\nTCP  0A60000A:0050 rr  \n  -> 0AF40003:1F90      Masq    1      0          0         \n  -> 0AF40002:1F90      Masq    1      0          0         \nUDP  0A60000B:0035 rr persistent 10800\n";

    #[test]
    fn services_and_endpoints_are_read() {
        let table = parse_table(TEXT).expect("valid");
        let first = &table[&("TCP".to_owned(), Ipv4Addr::new(10, 96, 0, 10), 80)];
        assert_eq!((first.scheduler.as_str(), first.endpoints.len()), ("rr", 2));
        assert!(first.endpoints.contains(&(Ipv4Addr::new(10, 244, 0, 2), 8080, "Masq".to_owned(), 1)));
        assert_eq!(table[&("UDP".to_owned(), Ipv4Addr::new(10, 96, 0, 11), 53)].scheduler, "rr persistent 10800");
    }

    #[test]
    fn an_endpoint_without_a_service_is_refused() {
        let text = TEXT.replace("TCP  0A60000A:0050 rr  \n", "");
        assert!(parse_table(&text).is_err());
    }
}
