use super::*;
use crate::workload::{AddressPlan, Protocol, VipLayout, Workload, WorkloadSpec};

const PACKETS: u32 = 30;

/// A run of `PACKETS` packets of as many flows as it should be, to be spoilt.
struct Run {
    hook: Hook,
    expected: Expected,
    workload: Workload,
    aims: Vec<Endpoint<V4>>,
    before: Flows,
    after: Flows,
    last: Ran,
}

impl Run {
    fn new(hook: Hook, expected: Expected) -> Self {
        let (layout, protocol, addresses) = (VipLayout::Sequential, Protocol::Udp, AddressPlan::default());
        let spec = WorkloadSpec { services: 3, endpoints: 2, layout, protocol, seed: 0, addresses };
        let workload = Workload::generate(&spec).expect("fits");
        let vips = workload.services.iter().map(|s| Endpoint::new(V4::new(s.vip.octets()), s.port.to_be()));
        let last = Ran { verdict: 0, frame: Vec::new(), duration: std::time::Duration::ZERO };
        let (before, after) = (Flows::default(), Flows::default());
        let mut run = Self { hook, expected, aims: vips.collect(), workload, before, after, last };
        run.open();
        run.leave();
        run
    }

    fn passage(&self) -> Passage<'_> {
        let order = Order { seed: 7, first_flow: 100, flows: PACKETS.into(), cursor: 0, targets: 3, client_base: 1 };
        let Self { hook, expected, ref aims, ref before, ref after, ref last, .. } = *self;
        Passage {
            hook,
            expected,
            order,
            packets: PACKETS,
            aims,
            services: &self.workload.services,
            before,
            after,
            last,
        }
    }

    fn differences(&self) -> Vec<String> {
        self.passage().differences()
    }

    /// Fills the tables.
    fn open(&mut self) {
        let mut opened = Flows::default();
        for number in 0..PACKETS.into() {
            let (flow, target) = (self.passage().flow(number), self.passage().target(number));
            let endpoint = endpoints(&self.workload.services[target])[number as usize % 2];
            opened.connections.insert(flow, endpoint);
            opened.replies.insert(flow.reply_from(&endpoint), flow.destination());
        }
        match self.expected {
            Expected::Hit => (self.before, self.after) = (opened.clone(), opened),
            Expected::Opened => self.after = opened,
            Expected::Replaced => {
                let forgotten = Flow { protocol: 0, ..self.passage().flow(0) };
                self.before.connections.insert(forgotten, Endpoint::default());
                self.after = opened;
            }
            Expected::Missed | Expected::Untouched => {}
        }
    }

    /// Lets the last packet out.
    fn leave(&mut self) {
        let flow = self.passage().flow(u64::from(PACKETS) - 1);
        let to = self.after.connections.get(&flow).copied().unwrap_or(flow.destination());
        let mut frame = vec![0; 64];
        (frame[14], frame[23]) = (0x45, IPPROTO_UDP);
        frame[26..30].copy_from_slice(&flow.src.octets());
        frame[30..34].copy_from_slice(&to.addr.octets());
        frame[34..36].copy_from_slice(&flow.src_port_be.to_ne_bytes());
        frame[36..38].copy_from_slice(&to.port_be.to_ne_bytes());
        self.last.frame = frame;
        self.last.verdict = match (self.expected, self.hook) {
            (Expected::Missed, Hook::Tc) => TC_ACT_UNSPEC,
            (_, Hook::Tc) => TC_ACT_OK,
            (Expected::Missed | Expected::Untouched, Hook::Xdp) => XDP_PASS,
            (_, Hook::Xdp) => XDP_REDIRECT,
        };
    }

    fn forget(flows: &mut Flows, flow: &Flow) {
        let endpoint = flows.connections.remove(flow).expect("is there");
        flows.replies.remove(&flow.reply_from(&endpoint));
    }
}

const EVERY: [Expected; 5] =
    [Expected::Hit, Expected::Opened, Expected::Replaced, Expected::Missed, Expected::Untouched];

#[test]
fn runs_as_they_should_be_have_no_differences() {
    for (hook, expected) in [Hook::Tc, Hook::Xdp].into_iter().flat_map(|hook| EVERY.map(|expected| (hook, expected))) {
        assert_eq!(Run::new(hook, expected).differences(), Vec::<String>::new(), "{hook:?} {expected:?}");
    }
}

#[test]
fn a_hit_of_a_flow_that_was_not_known_is_found() {
    let mut run = Run::new(Hook::Tc, Expected::Hit);
    let flow = run.passage().flow(4);
    Run::forget(&mut run.before, &flow);
    let found = run.differences();
    assert!(found.len() == 2 && found[0].ends_with("was not known"), "{found:?}");
    assert_eq!(found[1], "the connection tables held 29 flows before and 30 after");
}

#[test]
fn a_new_flow_that_is_not_new_or_not_kept_is_found() {
    for expected in [Expected::Opened, Expected::Replaced] {
        let mut run = Run::new(Hook::Xdp, expected);
        let flow = run.passage().flow(4);
        run.before.connections.insert(flow, run.after.connections[&flow]);
        assert!(run.differences()[0].ends_with("was known already"));
        let mut run = Run::new(Hook::Xdp, expected);
        Run::forget(&mut run.after, &flow);
        assert!(run.differences()[0].ends_with("was not written down"));
        let mut run = Run::new(Hook::Xdp, expected);
        run.after.replies.clear();
        assert!(run.differences()[0].ends_with("has no way back"));
        let mut run = Run::new(Hook::Xdp, expected);
        run.after.connections.insert(flow, Endpoint::new(V4::new([10, 9, 9, 9]), 0));
        assert!(run.differences()[0].ends_with("went to 10.9.9.9:0, which is not of its service"));
    }
    let mut run = Run::new(Hook::Tc, Expected::Replaced);
    run.after.connections.extend(run.before.connections.clone());
    assert_eq!(run.differences(), ["the connection tables held 1 flows before and 31 after"]);
}

#[test]
fn a_miss_that_is_written_down_is_found() {
    let mut run = Run::new(Hook::Tc, Expected::Missed);
    let flow = run.passage().flow(0);
    run.after.connections.insert(flow, Endpoint::default());
    assert!(run.differences()[0].ends_with("was written down"));
}

#[test]
fn a_last_packet_that_left_otherwise_is_found() {
    for (hook, expected) in [Hook::Tc, Hook::Xdp].into_iter().flat_map(|hook| EVERY.map(|expected| (hook, expected))) {
        let spoils: [fn(&mut Ran); 4] =
            [|ran| ran.verdict ^= 8, |ran| ran.frame[30] ^= 1, |ran| ran.frame[37] ^= 1, |ran| ran.frame[14] = 0];
        for spoil in spoils {
            let mut run = Run::new(hook, expected);
            spoil(&mut run.last);
            let found = run.differences();
            assert!(found.len() == 1 && found[0].starts_with("the last packet left as "), "{found:?}");
        }
    }
}
