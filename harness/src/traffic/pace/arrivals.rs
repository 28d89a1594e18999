//! The end of paced trials: what the generator sent is counted, and where that is asked for timed, as it comes into the pods' namespace.
//! Between trials it can let packets through to those who answer them.

use aya::maps::{Array, Map, MapData, MapError};
use aya::programs::tc::TcAttachType;
use aya::{Ebpf, EbpfLoader};
use datapath_common::pace::{ArrivalConfig, COUNTED, LET_THROUGH, TIMED};

use super::super::monotonic_ns;
use super::pacer::OBJECT;
use crate::probe::{Filter, Instrument, ProbeError, Tally, classifier};

const PROGRAM: &str = "arrival";
const CONFIG: &str = "ARRIVAL";
const RECORDS: &str = "ARRIVED";
const FIRST: u16 = 1;

/// What is taken of packets as they arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// Their number.
    Count,
    /// Their time since the intended one, too.
    Latency,
}

/// The program at the pods' device, until dropped: packets end there.
#[derive(Debug)]
pub(super) struct Arrivals {
    // Before the program that it belongs to.
    _filter: Filter,
    ebpf: Ebpf,
    config: ArrivalConfig,
    cpus: u32,
}

impl Arrivals {
    /// Attaches the program where the exit of paced trials would be; it must not be there any more.
    pub(super) fn attach(instrument: &Instrument) -> Result<Self, ProbeError> {
        let cpus = instrument.cpus;
        let loaded =
            EbpfLoader::new().btf(None).map_max_entries(RECORDS, cpus).map_max_entries("TARGETS", 1).load(OBJECT);
        let mut ebpf = loaded.map_err(|error| ProbeError::Load(Box::new(error)))?;
        let refused = |source| ProbeError::Program { action: "load", program: PROGRAM, source: Box::new(source) };
        classifier(&mut ebpf, PROGRAM)?.load().map_err(refused)?;
        let (pods, device) = (&instrument.pods, &instrument.pods_link);
        let filter = Filter::attach(&mut ebpf, PROGRAM, pods, device, TcAttachType::Ingress, FIRST)?;
        let expected = instrument.expected;
        let config = ArrivalConfig {
            pod_network_be: u32::from(expected.pods.network()).to_be(),
            pod_mask_be: u32::from(expected.pods.netmask()).to_be(),
            pod_port_be: expected.port.to_be(),
            ..ArrivalConfig::default()
        };
        Ok(Self { _filter: filter, ebpf, config, cpus })
    }

    /// Begins a trial: what was meant to go before now is none of it.
    pub(super) fn begin(&mut self, taken: Taken) -> Result<(), ProbeError> {
        self.arm(if taken == Taken::Latency { TIMED } else { COUNTED })?;
        Tally::reset(self.records()?, self.cpus)
    }

    /// Leaves all packets to the responder until the next trial begins.
    pub(super) fn let_through(&mut self) -> Result<(), ProbeError> {
        self.arm(LET_THROUGH)
    }

    fn arm(&mut self, timing: u16) -> Result<(), ProbeError> {
        let config = ArrivalConfig { since_ns: monotonic_ns(), timing, ..self.config };
        let map = self.ebpf.map_mut(CONFIG).ok_or(ProbeError::Missing { kind: "map", name: CONFIG })?;
        let written = Array::<_, ArrivalConfig>::try_from(map).and_then(|mut array| array.set(0, config, 0));
        written.map_err(|source: MapError| ProbeError::Map { map: CONFIG, source })
    }

    /// What has arrived since the trial began.
    pub(super) fn tally(&self) -> Result<Tally, ProbeError> {
        Tally::read(self.records()?, self.cpus)
    }

    fn records(&self) -> Result<&MapData, ProbeError> {
        match self.ebpf.map(RECORDS) {
            Some(Map::Array(map)) => Ok(map),
            _ => Err(ProbeError::Missing { kind: "map", name: RECORDS }),
        }
    }
}
