//! What stands on the page, in which order, and what of it is folded away.

use super::figure::{Figure, whiskers};
use super::verdict::{VerdictGroup, verdicts};
use super::{
    connections, curves, endpoints, growth, loaded, memory, node_cpu, percentiles, programming, rates, throughput,
};
use crate::report;
use crate::report::select::{Panel, main_panels, panels};
use crate::result::{Bracket, Flow, Metric, RunFile};

/// Figures of a section that are open; a page of a thousand cells has hundreds more.
const OPEN: usize = 4;

/// The first screen's sentences and picture of one venue and kernel.
pub(super) struct Hero<'a> {
    pub(super) verdicts: VerdictGroup<'a>,
    /// What its backends add; absent where `direct-conntrack` was not measured.
    pub(super) figure: Option<Figure>,
    /// What the picture's whiskers are.
    pub(super) whiskers: String,
}

/// Figures under one heading.
pub(super) struct Section {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) intro: &'static str,
    /// Shown.
    pub(super) figures: Vec<Figure>,
    /// Folded away.
    pub(super) folded: Vec<Figure>,
}

fn section(id: &'static str, title: &'static str, intro: &'static str, mut figures: Vec<Figure>) -> Section {
    let folded = figures.split_off(OPEN.min(figures.len()));
    Section { id, title, intro, figures, folded }
}

/// The first screen, the verdicts that it has no room for, and the sections.
pub(super) fn arrange(run: &RunFile) -> (Vec<Hero<'_>>, Vec<VerdictGroup<'_>>, Vec<Section>) {
    let groups = verdicts(run);
    let chosen = main_panels(&groups.iter().map(|group| group.panel).collect::<Vec<_>>());
    let (mut shown, mut more): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| chosen.contains(&group.panel));
    let repeats: Vec<_> = shown.iter_mut().filter_map(VerdictGroup::split_repeats).collect();
    more.splice(0..0, repeats);
    let mut added = curves::added(run);
    let mut take = |panel: &Panel<'_>| {
        let index = added.iter().position(|(of, _)| of == panel)?;
        Some(added.remove(index).1)
    };
    let heroes = shown.into_iter().map(|verdicts| Hero {
        figure: take(&verdicts.panel),
        whiskers: whiskers(
            panels(run, Metric::Added).get(&verdicts.panel).into_iter().flatten().flat_map(|c| &c.points),
        ),
        verdicts,
    });
    let heroes = heroes.collect();
    let sections = sections(run, new_flows_first(added));
    (heroes, more, sections)
}

fn new_flows_first(mut figures: Vec<(Panel<'_>, Figure)>) -> Vec<Figure> {
    figures.sort_by_key(|(panel, _)| panel.flow != Flow::New);
    figures.into_iter().map(|(_, figure)| figure).collect()
}

/// What is added and the traversal of everything that was measured in the XDP bracket.
fn xdp_bracket(run: &RunFile) -> Vec<Figure> {
    let of = |metric: Metric| {
        let mut figures = new_flows_first(curves::in_bracket(run, metric, Bracket::Xdp));
        figures.iter_mut().for_each(|figure| figure.title = format!("{metric}, XDP bracket: {}", figure.title));
        figures
    };
    let mut figures = of(Metric::Added);
    figures.extend(of(Metric::Traversal));
    figures
}

fn sections(run: &RunFile, added: Vec<Figure>) -> Vec<Section> {
    let traversal = new_flows_first(curves::in_bracket(run, Metric::Traversal, Bracket::Tc));
    let all = [
        section(
            "added",
            "What load balancing adds: other packets",
            "As above, for established flows and for the other protocols and endpoint counts of the run.",
            added,
        ),
        section(
            "throughput",
            "Throughput at saturation",
            "Packets a second that leave towards the backends while more are offered than one CPU can forward. Mark: median \
             of the trials; band: lowest to highest. Packets that are counted at the exit of the XDP bracket have been taken from \
             the peer's ring by the same CPU: those rates are not to be compared with the others.",
            throughput::figures(run),
        ),
        section(
            "rates",
            "Rates that are carried",
            "Packets a second by MLRsearch: what a node forwards at the largest load of which nothing, or at most 0.5%, is lost, and the most that arrives \
             of short bursts. Marks: medians over searches; whiskers: their interval or range; band: from the relevant lower to the relevant upper \
             bound. Irregular searches are left out where six regular ones remain; elsewhere a mark that holds one is hollow. A note under the table \
             names the reason. All are counted in the pods' namespace, so that backends are comparable whatever their bracket. The table shows each \
             search's top, where most was offered: what arrived of it, and where the rest was lost.",
            rates::figures(run),
        ),
        section("node-cpu", "CPU time of the node", report::node_cpu::INTRO, node_cpu::figures(run)),
        section(
            "loaded",
            "Latency under load",
            "Each backend is offered a tenth, half and nine tenths of the rate that it carries without loss, one packet at a time, and every \
             packet is timed from the moment at which it was meant to be sent to its arrival in the pods' namespace: what the sender was late by \
             is part of it, and stands beside it. Trials in which the sender did not keep its pace are repeated and count for nothing. A lightly \
             loaded node sleeps between packets, and its waking is part of a latency. All are timed at the same place, whatever the bracket.",
            loaded::figures(run),
        ),
        section(
            "connections",
            "Real connections",
            "Sockets of the kernel under test: a client that connects, asks, waits for the answer and sees the connection closed, and servers behind every \
             endpoint. Everything that both ends do is part of a rate or a time, not the node's share alone: direct is the same \
             without a load balancer. Times of an open loop (so many a second) begin when the connection was meant to. Marks: \
             medians over trials; whiskers: their interval or range; band: up to the 99th percentile. Hollow: exchanges failed or \
             trials were invalid, which a note under the table names.",
            connections::figures(run),
        ),
        section("growth", "Growth by the rates", report::growth::INTRO, growth::figures(run)),
        section(
            "programming",
            "Programming the kernel",
            "What it takes to bring the services into the kernel, from the first byte rendered to the kernel's last answer.",
            programming::figures(run),
        ),
        section("memory", "Kernel memory of what was programmed", report::memory::INTRO, memory::figures(run)),
        section(
            "percentiles",
            "Percentiles",
            "Node traversal of all packets of a cell's trials: the value that a share of them does not exceed. Each step to \
             the right leaves out nine tenths of what was left. Marks: 50%, 90%, 99% and so on.",
            percentiles::figures(run),
        ),
        section(
            "traversal",
            "Node traversal",
            "From tc ingress of the node's client-side device to tc egress of its backend-side device, plain routing included. What \
             is timed between other hooks has a section of its own.",
            traversal,
        ),
        section(
            "xdp-bracket",
            "The XDP bracket",
            "Timed between two other hooks: from XDP of the node's client-side device, before the kernel has made a packet buffer, to \
             tc ingress of the backend-side device's peer. It holds what ebpf-xdp does in place of the stack, and so much more \
             than the tc bracket that figures of the two are not to be compared. First what is added over direct-conntrack of this \
             bracket, then the whole.",
            xdp_bracket(run),
        ),
        section(
            "positions",
            "Positions",
            "Node traversal of one backend by the position of the service that is asked for, in order of programming.",
            curves::positions(run),
        ),
        section(
            "endpoints",
            "Endpoints of a service",
            "The same at one N, over the number of endpoints behind each service (M).",
            endpoints::figures(run),
        ),
        section(
            "layouts",
            "VIP layouts",
            "Node traversal of one backend by the layout of the service addresses, at the backend's worst position. Addresses \
             at stride 256 share one bucket of IPVS's table where that has 256 buckets.",
            curves::layouts(run),
        ),
        section(
            "kernels",
            "Kernels side by side",
            "What one backend adds, on every kernel of the run, at its worst position.",
            curves::kernels(run),
        ),
    ];
    all.into_iter().filter(|section| !section.figures.is_empty()).collect()
}
