//! What the kernel says of connections that clients made one at a time.
//!
//! On the same path a connection takes the kernel longer where less of its code and data is in the caches, and what is there depends on what the client
//! did since the last one. So there is a third client beside the two, which does next to nothing ([`plain`]), and the same one that touches memory
//! between two connections. How far those come towards curl's time is how much the caches can explain.

use std::net::SocketAddrV4;
use std::num::NonZeroU32;

use curve_stats::quantile;

use super::handshake::Handshakes;
use super::plain::Errand;
use super::{Args, BenchError, Figure, QUANTILES, Site};

#[derive(Clone, Copy)]
enum Client {
    Ours,
    Curl,
    /// Touches so many KiB between two connections.
    Plain(usize),
}

/// Nothing; more than the first level of a cache holds; more than the second does.
const CLIENTS: [Client; 5] = [Client::Ours, Client::Curl, Client::Plain(0), Client::Plain(256), Client::Plain(4 << 10)];

/// Prints what the kernel saw of every client on every site, in rounds of their own: to be asked slows each connection. The first round is
/// not counted.
///
/// # Errors
/// [`BenchError`]: the kernel cannot be asked, or a client did not connect each time.
pub(super) fn compare(sites: &[Site], args: &Args) -> Result<(), BenchError> {
    let handshakes = Handshakes::open()?;
    let mut all: Vec<_> = sites.iter().map(|_| CLIENTS.map(|_| Vec::new())).collect();
    for round in 0..=args.trials {
        for (site, own) in sites.iter().zip(&mut all) {
            for (client, trials) in CLIENTS.into_iter().zip(own) {
                let figures = client.connect(site, &handshakes, args.exchanges)?;
                if round > 0 {
                    trials.push(figures);
                }
            }
        }
    }
    println!("\n{:<34}      {}", "1 at a time, in the kernel", row(CLIENTS.map(Client::name)));
    for (own, kind) in all.iter().zip(&args.backends) {
        print(&lbcurve::result::name(kind), own)?;
    }
    Ok(())
}

/// A line a quantile, a column a client.
fn print(what: &str, own: &[Vec<[f64; 2]>; CLIENTS.len()]) -> Result<(), BenchError> {
    for (index, (name, _)) in QUANTILES.iter().enumerate() {
        let figures: Vec<_> =
            own.iter().map(|trials| Figure::of(trials.iter().map(|trial| trial[index]))).collect::<Result<_, _>>()?;
        println!("{what:<34} {name}  {}", row(figures.iter().map(Figure::text)));
    }
    Ok(())
}

fn row(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<_> = cells.into_iter().map(|cell| format!("{cell:<20}")).collect();
    cells.join(" ").trim_end().to_owned()
}

impl Client {
    fn name(self) -> String {
        match self {
            Self::Ours => "lbcurve".to_owned(),
            Self::Curl => "curl".to_owned(),
            Self::Plain(0) => "plain".to_owned(),
            Self::Plain(touched) => format!("plain, {touched} KiB"),
        }
    }

    /// Quantiles of the kernel's times, microseconds. Ours has exchanges before it that do not count.
    fn connect(self, site: &Site, handshakes: &Handshakes, connections: u32) -> Result<[f64; 2], BenchError> {
        let to = site.asked.address;
        handshakes.take(to)?;
        match self {
            Self::Ours => _ = site.ours(NonZeroU32::MIN, connections)?,
            Self::Curl => _ = site.trial(super::Client::Curl, NonZeroU32::MIN, connections)?,
            Self::Plain(touched) => {
                let _inside = site.topology.client.enter()?;
                Errand { from: SocketAddrV4::new(site.address(), 0), to, connections, touched: touched << 10 }.run()?;
            }
        }
        let times = handshakes.take(to)?;
        if times.len() < connections as usize {
            return Err(BenchError::Failed {
                client: "by the kernel a client",
                connected: times.len(),
                asked: connections,
            });
        }
        let [p50, p90] = QUANTILES.map(|(_, probability)| quantile(&times, probability));
        Ok([p50?, p90?])
    }
}
