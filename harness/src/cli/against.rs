//! `lbcurve gate --against BINARY`: this lbcurve and another, turn by turn on this kernel.

use std::path::{Path, PathBuf};

use super::gate_args::GateArgs;
use super::run::check_workloads;
use super::{CliError, signals};
use crate::chain::one_line;
use crate::gate::host::plan::Asked;
use crate::gate::host::{Duel, DuelError, Executable, FLOOR, Side, SideError, execute, judge, pairs};
use crate::gate::{Facts, GateReport, GateVerdict, overall};
use crate::preflight::{Disturbance, PreflightError, Watch};
use crate::result::{NoiseVerdict, Preflight, VenueKind, name};
use crate::run::execute::ExecuteError;
use crate::run::guard;
use crate::run::noise::{self, NoiseError};
use crate::run::plan::VenueOffer;
use crate::run::progress::Progress;
use crate::run::scenario::{Scenario, ScenarioError};
use crate::venue::host;
use crate::whole::write_whole;

/// The report as JSON, in the gate's directory.
const REPORT: &str = "gate.json";
/// Rounds that METHODOLOGY.md speaks for.
const ENOUGH_ROUNDS: u32 = 40;
/// Steal and other processes' work, as shares of all CPU time, from which on a gate concludes nothing.
const MOST_STEAL: f64 = 0.10;
const MOST_OTHERS: f64 = 0.50;

/// Measures both sides and judges them.
pub(super) fn against_binary(args: &GateArgs, path: &Path) -> Result<GateReport, CliError> {
    let cancel = signals::cancel_flag()?;
    let scenario = args.against_options.wishes().resolve()?;
    let executables = open(path)?;
    if !host::is_root() {
        return Err(CliError::NeedsRoot);
    }
    let asked = asked(args, scenario)?;
    let temporary;
    let out: PathBuf = match &args.out {
        Some(out) => out.clone(),
        None => {
            temporary = super::baseline::temporary()?;
            temporary.path().to_owned()
        }
    };
    let mut duel = Duel::open(&asked, executables, &out)?;
    check_workloads(duel.side(Side::Candidate).0)?;
    let floor = args.floor.map_or(FLOOR, |floor| floor.share());
    let mut facts = facts(&asked, &duel, floor);
    let (plan, store) = duel.side(Side::Candidate);
    let earlier = noise::earlier(plan, store).map_err(ExecuteError::from)?;
    let preflight = match duel.left() {
        0 => earlier,
        _ => Some(noise::probe_and_keep(earlier, store).map_err(ExecuteError::from)?),
    };
    if let Some(preflight) = &preflight {
        eprintln!("machine: {preflight}");
        facts.push(("machine".into(), format!("{}, score {} of 100", preflight.verdict, preflight.score)));
    }
    let despite = args.against_options.despite_noise;
    if let Some(reasons) = preflight.as_ref().and_then(too_noisy).filter(|_| !despite) {
        return finish(GateReport::invalid(facts, reasons), &out);
    }
    let watch = Watch::start().map_err(unwatched)?;
    measure(&mut duel, &cancel)?;
    let disturbance = watch.so_far().map_err(unwatched)?;
    facts.push(("meanwhile".into(), disturbance.to_string()));
    let mut cells = judge(&pairs(duel.records()), floor).map_err(CliError::Judge)?;
    let mut notes = notes(&asked, preflight.as_ref(), &duel);
    let disturbed = disturbed(disturbance);
    if let Some(reason) = &disturbed {
        notes.insert(0, reason.clone());
    }
    let mut verdict = overall(cells.iter().map(|cell| cell.verdict));
    if disturbed.is_some() && !despite {
        verdict = GateVerdict::InvalidEnvironment;
        cells.clear();
    }
    finish(GateReport { verdict, facts, notes, cells }, &out)
}

fn unwatched(error: PreflightError) -> ExecuteError {
    NoiseError::from(error).into()
}

/// The baseline is the other executable, the candidate this very one.
fn open(path: &Path) -> Result<[Executable; 2], CliError> {
    let unusable = |path: &Path| {
        let path = path.to_owned();
        move |error: SideError| CliError::OtherSide { path, reason: one_line(&error) }
    };
    let own = Path::new("/proc/self/exe");
    Ok([Executable::open(path).map_err(unusable(path))?, Executable::open(own).map_err(unusable(own))?])
}

/// Every backend that is asked for must be ready: a gate that leaves one out would pass what it did not measure.
fn asked(args: &GateArgs, scenario: Scenario) -> Result<Asked, CliError> {
    let kernel = host::release();
    let offer = VenueOffer {
        venue: VenueKind::Host,
        kernel: kernel.clone(),
        identity: String::new(),
        backends: scenario.backends.clone(),
        unready: Vec::new(),
        deterministic: false,
        emulated: false,
        saturation: false,
        lacking: Vec::new(),
    };
    let obstacles = host::obstacles(&scenario.backends)?;
    let mut reasons: Vec<String> = obstacles.into_iter().filter_map(|(_, obstacle)| obstacle).collect();
    for &backend in scenario.backends.iter().filter(|_| !scenario.allow_slow) {
        let refused = scenario.services.iter().filter_map(|&services| guard::refusal(&offer, backend, services));
        reasons.extend(refused.map(|reason| format!("{}: {reason}", name(&backend))));
    }
    if !reasons.is_empty() {
        return Err(CliError::NothingReady(reasons));
    }
    let packets = scenario.packets.ok_or(ScenarioError::Empty { axis: "packets" })?;
    Ok(Asked { scenario, rounds: args.against_options.rounds, packets, kernel, ballast: args.self_test_ballast })
}

fn measure(duel: &mut Duel, cancel: &std::sync::atomic::AtomicBool) -> Result<(), CliError> {
    let total: usize = Side::BOTH.iter().map(|side| duel.side(*side).0.trials()).sum();
    let left = duel.left();
    if left == 0 {
        eprintln!("every round is there already: nothing is measured anew; choose another --out for a new gate");
    }
    let of_a_turn = duel.side(Side::Baseline).0.scenario.flows.len();
    let mut progress = Progress::start(total, total - left * of_a_turn);
    let outcome = execute(duel, cancel, &mut progress);
    progress.finish();
    Ok(outcome?)
}

fn too_noisy(preflight: &Preflight) -> Option<Vec<String>> {
    let noisy = preflight.verdict == NoiseVerdict::TooNoisy;
    noisy.then(|| {
        let first =
            format!("the machine is too noisy, score {} of 100 (--despite-noise measures anyway)", preflight.score);
        let advice = preflight.findings.iter().map(|finding| finding.advice.clone());
        std::iter::once(first).chain(advice).collect()
    })
}

fn disturbed(disturbance: Disturbance) -> Option<String> {
    let disturbed = disturbance.steal >= MOST_STEAL || disturbance.others >= MOST_OTHERS;
    disturbed
        .then(|| format!("the machine was disturbed while it measured: {disturbance}; measure again when it rests"))
}

fn notes(asked: &Asked, preflight: Option<&Preflight>, duel: &Duel) -> Vec<String> {
    let mut notes = Vec::new();
    if asked.rounds < ENOUGH_ROUNDS {
        notes.push(format!("{} rounds are fewer than {ENOUGH_ROUNDS}: a slowdown of 10% may go unseen", asked.rounds));
    }
    let object = |side| &duel.executable(side).hello.ebpf_object_sha256;
    if object(Side::Baseline) != object(Side::Candidate) {
        notes.push(
            "the sides' probes differ: part of a change may be the instrument's, though `added` cancels most of it"
                .into(),
        );
    }
    if preflight.is_some_and(|preflight| preflight.verdict == NoiseVerdict::TooNoisy) {
        notes.push("the machine was too noisy to conclude from; it was measured all the same (--despite-noise)".into());
    }
    notes
}

fn facts(asked: &Asked, duel: &Duel, floor: f64) -> Facts {
    let describe = |side: Side| {
        let executable = duel.executable(side);
        let short: String = executable.sha256.chars().take(12).collect();
        format!("lbcurve {} (SHA-256 {short}...)", executable.hello.version)
    };
    let mut facts = vec![
        (
            "baseline".to_owned(),
            format!("{}, {}", describe(Side::Baseline), duel.executable(Side::Baseline).path().display()),
        ),
        ("candidate".to_owned(), format!("{}, this one", describe(Side::Candidate))),
        ("kernel".to_owned(), format!("{}, this host's", asked.kernel)),
        (
            "rounds".to_owned(),
            format!("{} interleaved, {} packets a trial, seed {}", asked.rounds, asked.packets, asked.scenario.seed),
        ),
        ("floor".to_owned(), format!("{:.3}% of what load balancing adds", floor * 100.0)),
    ];
    if let Some(services) = asked.ballast {
        let rule =
            format!("candidate with one rule that matches nothing per {services} services: not a normal measurement");
        facts.push(("self-test".to_owned(), rule));
    }
    facts
}

fn finish(report: GateReport, out: &Path) -> Result<GateReport, CliError> {
    let path = out.join(REPORT);
    let file = |source: std::io::Error| CliError::File { action: "write", path: path.clone(), source };
    let text = serde_json::to_string_pretty(&report).map_err(|error| file(error.into()))?;
    write_whole(&path, text.as_bytes()).map_err(|source| CliError::File { action: "write", path, source })?;
    Ok(report)
}

/// A side that fails in mid-run: the exit code says whose fault it is.
pub(super) fn duel_code(error: &DuelError) -> u8 {
    match error {
        DuelError::Interrupted => 130,
        DuelError::Store(_) => 11,
        DuelError::Side { side: Side::Baseline, .. } | DuelError::OtherRecords { side: Side::Baseline, .. } => 27,
        DuelError::Side { side: Side::Candidate, .. } | DuelError::OtherRecords { side: Side::Candidate, .. } => 10,
    }
}
