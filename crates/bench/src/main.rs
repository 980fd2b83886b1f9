//! The figures of BENCHMARKS.md. Servers run on core 0, the driver on core 1; everything stays on loopback and is bounded
//! in number and time. Ratios between rows of one run count; absolute times are this machine's.

mod bare;
mod carry;
mod claim;
mod driver;
mod ear;
mod edge;
mod flight;
mod flood;
mod gate;
mod joins;
mod planes;
mod process;
mod simulate;
mod speakers;
mod table;
mod tls;

use anyhow::{Context as _, bail};

use self::flood::Narrow;

const USAGE: &str = "usage: hustings-bench measure HUSTINGS-BINARY [planes] [gate] [simulate] [speakers] [carry] [joins] [tls] [ear]
       [flood-knocks] [flood-noise] [flood-scarce] [flood-scarce-rest] [flood-slow] [refused] [foreign] [flight] [claim-files] [claim-cpu] [stage] [narrow-files] [narrow-uplink] [narrow-cpu],
       or one kind: flood gets|forged|replayed|silent|pages|stayers|heads|bodies
       (its own servers: bare ADDRESS | refuse ADDRESS | accept ADDRESS [CERT KEY] | edge ADDRESS CADENCE-MS [CERT KEY])";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["measure", binary, parts @ ..] => measure(binary, parts),
        ["flood", binary, kinds @ ..] => flood::one(binary, kinds),
        ["bare", address] => bare::carry(address),
        ["refuse", address] => bare::refuse(address),
        ["accept", address, files @ ..] => bare::accept(address, files_of(files).as_ref()),
        ["edge", address, cadence, files @ ..] => {
            let cadence_ms = cadence.parse().context("milliseconds")?;
            edge::serve(address, cadence_ms, files_of(files).as_ref())
        }
        _ => bail!(USAGE),
    }
}

fn files_of(words: &[&str]) -> Option<tls::Files> {
    let [cert, key] = words else { return None };
    Some(tls::Files {
        cert: cert.into(),
        key: key.into(),
    })
}

/// All parts, or those named. A row that cannot be measured is told in the table and makes the run fail.
fn measure(binary: &str, parts: &[&str]) -> anyhow::Result<()> {
    let mut table = table::Table::default();
    type Part<'a> = (&'a str, &'a dyn Fn(&mut table::Table) -> anyhow::Result<()>);
    let all: [Part<'_>; 22] = [
        ("planes", &planes::report),
        ("speakers", &speakers::report),
        ("gate", &gate::report),
        ("simulate", &simulate::report),
        ("carry", &carry::report),
        ("joins", &|table| joins::plain(table, binary)),
        ("tls", &|table| joins::sealed(table, binary)),
        ("ear", &|table| ear::report(table, binary)),
        ("flood-knocks", &|table| flood::knocks(table, binary)),
        ("flood-noise", &|table| flood::noise(table, binary)),
        ("flood-scarce", &|table| flood::scarce(table, binary)),
        ("flood-scarce-rest", &|table| {
            flood::scarce_rest(table, binary)
        }),
        ("flood-slow", &|table| flood::slow(table, binary)),
        ("refused", &|table| flood::refused(table, binary)),
        ("foreign", &|table| flood::foreign(table, binary)),
        ("flight", &|table| flight::report(table, binary)),
        ("claim-files", &|table| claim::files(table, binary)),
        ("claim-cpu", &|table| claim::core(table, binary)),
        ("stage", &|table| flood::stage(table, binary)),
        ("narrow-files", &|table| {
            flood::narrow(table, binary, Narrow::Files)
        }),
        ("narrow-uplink", &|table| {
            flood::narrow(table, binary, Narrow::Uplink)
        }),
        ("narrow-cpu", &|table| {
            flood::narrow(table, binary, Narrow::Cpu)
        }),
    ];
    for (name, part) in all {
        if parts.is_empty() || parts.contains(&name) {
            println!("{name}:");
            if let Err(why) = part(&mut table) {
                table.missing(name, &why);
            }
        }
    }
    table.print();
    anyhow::ensure!(table.complete(), "some rows could not be measured");
    Ok(())
}
