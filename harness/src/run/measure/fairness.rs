//! Flows of one service before and after a change of its endpoints.
//!
//! Two sets of namespaces: in the first the flows are opened, and asked for again before and after the change; in the second the same
//! change is made first, and then the same addresses and ports are new flows.

use std::sync::atomic::{AtomicBool, Ordering};

use datapath_common::flow::PORTS_PER_CLIENT;

use super::programming::named;
use super::site::Site;
use super::{Emit, MeasureError, Place};
use crate::probe::Instrument;
use crate::result::{EndpointChange, FairnessRecord, Flow, Position, Reached, Spreading, encode_reached};
use crate::run::decide;
use crate::run::plan::{Measure, MeasureKind, Setup, Visit};
use crate::run::record::Record;
use crate::run::scenario::Scenario;
use crate::traffic::{Fate, TrafficError, TrafficOrder};
use crate::workload::{Endpoint, Service, Workload};

/// Makes a visit of nothing but such measures.
pub(super) fn visit(
    place: &Place,
    scenario: &Scenario,
    visit: &Visit,
    cancel: &AtomicBool,
    emit: &mut Emit<'_>,
) -> Result<(), MeasureError> {
    for measure in &visit.measures {
        let MeasureKind::Fairness { spreading, change } = measure.kind else {
            return Err(MeasureError::NamespacesOfItsOwn);
        };
        emit(Case::new(place, scenario, visit.setup, measure, (spreading, change))?.record(cancel)?)?;
    }
    Ok(())
}

/// A measure, and the service before and after.
struct Case<'a> {
    place: &'a Place,
    scenario: &'a Scenario,
    setup: Setup,
    measure: &'a Measure,
    spreading: Spreading,
    change: EndpointChange,
    before: Workload,
    after: Workload,
    /// Which of the services changes.
    asked: usize,
}

impl<'a> Case<'a> {
    /// What is planned has services with endpoints and room for one more.
    fn new(
        place: &'a Place,
        scenario: &'a Scenario,
        setup: Setup,
        measure: &'a Measure,
        (spreading, change): (Spreading, EndpointChange),
    ) -> Result<Self, MeasureError> {
        let before = spreading.over(setup.services(scenario)?, measure.packets);
        let asked = before.services.iter().position(|service| !service.endpoints.is_empty());
        let (Some(asked), Some((_, spare))) = (asked, setup.spare(scenario)?) else {
            return Err(MeasureError::NoEndpoint);
        };
        let mut after = before.clone();
        change_endpoints(&mut after.services[asked], change, spare);
        Ok(Self { place, scenario, setup, measure, spreading, change, before, after, asked })
    }

    fn record(&self, cancel: &AtomicBool) -> Result<Record, MeasureError> {
        let (before, after) = self.existing(cancel)?;
        let anew = self.anew(cancel)?;
        let text = |reached: &[Reached]| encode_reached(reached).map_err(|error| MeasureError::Emit(error.into()));
        let (clients, _) = self.spreading.traffic(self.measure.packets);
        let endpoints = &self.wider().services[self.asked].endpoints;
        let weights = endpoints.iter().map(|endpoint| self.before.scheduling.weight(endpoint)).collect();
        Ok(Record::Fairness(Box::new(FairnessRecord {
            cell: self.setup.cell(self.place.venue, &self.place.kernel, Flow::New, Position::First),
            spreading: self.spreading,
            change: self.change,
            trial: self.measure.trial,
            flows: u32::try_from(before.len()).unwrap_or(u32::MAX),
            clients,
            weights,
            before: text(&before)?,
            after: text(&after)?,
            anew: text(&anew)?,
        })))
    }

    /// Opens the flows, and asks for them again before and after the change.
    fn existing(&self, cancel: &AtomicBool) -> Result<(Vec<Reached>, Vec<Reached>), MeasureError> {
        let (site, _) = Site::program(self.place, self.scenario, self.setup, self.before.clone(), false)?;
        let mut instrument = site.attach(std::slice::from_ref(self.measure))?;
        for order in self.orders(&site) {
            going_on(cancel)?;
            instrument.open_flows(&order)?;
        }
        let before = self.each(&site, cancel, |order| instrument.follow(order))?;
        self.make_the_change(&site)?;
        let after = self.each(&site, cancel, |order| instrument.follow(order))?;
        close(site, instrument)?;
        Ok((before, after))
    }

    /// Makes the change, and opens the flows.
    fn anew(&self, cancel: &AtomicBool) -> Result<Vec<Reached>, MeasureError> {
        let (site, _) = Site::program(self.place, self.scenario, self.setup, self.before.clone(), false)?;
        self.make_the_change(&site)?;
        let mut instrument = site.attach(std::slice::from_ref(self.measure))?;
        let reached = self.each(&site, cancel, |order| instrument.decide(order))?;
        close(site, instrument)?;
        Ok(reached)
    }

    fn make_the_change(&self, site: &Site<'_>) -> Result<(), MeasureError> {
        let _inside = site.topology.node.enter()?;
        let [before, after] = [&self.before, &self.after].map(|workload| &workload.services[self.asked]);
        let changed = site.datapath.change_endpoint(before, after, &self.after);
        changed.and_then(|_| site.datapath.verify(&self.after)).map_err(|source| named(&self.setup, source))
    }

    fn each(
        &self,
        site: &Site<'_>,
        cancel: &AtomicBool,
        mut fates: impl FnMut(&TrafficOrder) -> Result<Vec<Fate>, TrafficError>,
    ) -> Result<Vec<Reached>, MeasureError> {
        let mut reached = Vec::new();
        for order in self.orders(site) {
            going_on(cancel)?;
            reached.extend(decide::reached(self.wider(), &order, &fates(&order)?));
        }
        Ok(reached)
    }

    /// The workload that knows every endpoint.
    fn wider(&self) -> &Workload {
        match self.change {
            EndpointChange::Added => &self.after,
            EndpointChange::Removed => &self.before,
        }
    }

    /// One order a client address.
    fn orders(&self, site: &Site<'_>) -> Vec<TrafficOrder> {
        let order = site.order(self.measure, Flow::New, Position::First);
        let (clients, flows) = self.spreading.traffic(self.measure.packets);
        if clients == 1 {
            return vec![TrafficOrder { packets: flows, ..order }];
        }
        let first = order.first_flow.next_multiple_of(PORTS_PER_CLIENT);
        let of_client = |client: u64| TrafficOrder {
            packets: flows / clients,
            first_flow: first + client * PORTS_PER_CLIENT,
            ..order.clone()
        };
        (0..u64::from(clients)).map(of_client).collect()
    }
}

fn change_endpoints(service: &mut Service, change: EndpointChange, spare: Endpoint) {
    match change {
        EndpointChange::Added => service.endpoints.push(spare),
        EndpointChange::Removed => {
            service.endpoints.pop();
        }
    }
}

fn close(site: Site<'_>, instrument: Instrument) -> Result<(), MeasureError> {
    drop(instrument);
    site.clear()
}

fn going_on(cancel: &AtomicBool) -> Result<(), MeasureError> {
    if cancel.load(Ordering::Relaxed) { Err(MeasureError::Interrupted) } else { Ok(()) }
}
