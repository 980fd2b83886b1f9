//! `hustings simulate`: a night in virtual time. The gate, line, cadence and shard are the production's; the people, the
//! clock and the cost of those inside are told.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use hustings_rehearse::scenario::{File, LIBRARY, Sight, Wish, library};
use hustings_rehearse::{
    Attack, Costs, Curve, Kind, Night, Report, Scenario, record, simulate, simulate_night, table,
};

use crate::ops::report::{Report as NightReport, of_virtual};

/// Bytes of a scenario's file. A larger one is a mistake in the path.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Rehearse a night in virtual time: the crowd comes by a curve, the real gate decides about each, and what each kind of
/// people experienced is printed. The same numbers and seed print the same bytes. Nothing is sent anywhere.
#[derive(Clone, Debug, clap::Args)]
pub struct SimulateCommand {
    /// A scenario of the library, or a file of one (docs/scenarios.md). It says what the flags below say otherwise.
    #[arg(
        long,
        value_name = "NAME|FILE",
        conflicts_with_all = ["listeners", "seats", "minutes", "curve", "shards", "attack", "stay", "sweep_us", "second_us", "knock_us"]
    )]
    pub scenario: Option<String>,
    /// Multiply the scenario's people, seats and files. Default: what the scenario says.
    #[arg(long, requires = "scenario")]
    pub scale: Option<f64>,
    /// Draw the scenario's numbers from its unseen ranges.
    #[arg(long, requires = "scenario")]
    pub unseen: bool,
    /// List the scenarios of the library.
    #[arg(long, conflicts_with_all = ["scenario", "show"])]
    pub list: bool,
    /// Print a scenario of the library as a file, to begin one's own with.
    #[arg(long, value_name = "NAME", conflicts_with = "scenario")]
    pub show: Option<String>,
    /// People of the crowd.
    #[arg(long, default_value_t = 20_000)]
    pub listeners: u32,
    /// Seats of the node. Default: one for eight of the crowd.
    #[arg(long)]
    pub seats: Option<u32>,
    /// Virtual minutes.
    #[arg(long, default_value_t = 20)]
    pub minutes: u32,
    /// How the crowd arrives: steady, announced (a draw, then the start), push (a notification), cliff (all fall out and come again).
    #[arg(long, default_value = "announced", value_parser = curve)]
    pub curve: Curve,
    /// Whatever happens by chance happens by this number. Default: 1, or what the scenario says.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Shards, each a core with its gate. Default: as many as the seats need.
    #[arg(long, default_value_t = 0)]
    pub shards: u32,
    /// Attack beside the crowd, such as flood=10: ten times as many knocks (flood, forged, replay) or people (prefixes, botnet,
    /// farm) or connections (slow-heads) as the crowd has people; native=10 is ten native solvers for a thousand of the crowd. Can be given several times.
    #[arg(long, value_name = "KIND=FACTOR", value_parser = attack)]
    pub attack: Vec<Attack>,
    /// Mean minutes that somebody stays.
    #[arg(long, default_value_t = 15.0)]
    pub stay: f64,
    /// Microseconds of a core that one listener costs a sweep, and each second of pages more.
    #[arg(long, default_value_t = Costs::default().sweep_ns / 1e3)]
    pub sweep_us: f64,
    #[arg(long, default_value_t = Costs::default().second_ns / 1e3)]
    pub second_us: f64,
    /// Microseconds of a core that a knock on a new connection costs.
    #[arg(long, default_value_t = Costs::default().knock_ns / 1e3)]
    pub knock_us: f64,
    /// Write the report that an operator would read of this night: one HTML file.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Print JSON, as docs/simulate.md describes it.
    #[arg(long)]
    pub json: bool,
}

impl SimulateCommand {
    pub fn run(&self) -> anyhow::Result<()> {
        print!("{}", self.output()?);
        Ok(())
    }

    fn output(&self) -> anyhow::Result<String> {
        if self.list {
            return list(self.json);
        }
        if let Some(name) = &self.show {
            let text = LIBRARY.iter().find(|(known, _)| known == name);
            return Ok(text.with_context(|| unknown(name))?.1.to_owned());
        }
        if let Some(file) = &self.report {
            let scenario = self.scenario.as_ref();
            return self.write_report(file, scenario.context("--report needs --scenario")?);
        }
        let report = self.night_told()?;
        if self.json {
            return Ok(format!("{}\n", serde_json::to_string_pretty(&report)?));
        }
        Ok(table(&report))
    }

    fn write_report(&self, file: &Path, scenario: &str) -> anyhow::Result<String> {
        let night = self.night(scenario)?;
        let records = of_virtual(&record(&night)?, &night.name, night.seed);
        let records = records.context("the night is over before its first second")?;
        let report = NightReport::new(&records, false);
        std::fs::write(file, report.html())
            .with_context(|| format!("{} cannot be written", file.display()))?;
        let finding = &report.finding;
        Ok(format!("{}\n{}\n", finding.headline, finding.summary))
    }

    fn night_told(&self) -> anyhow::Result<Report> {
        match &self.scenario {
            Some(scenario) => Ok(simulate_night(&self.night(scenario)?)?),
            None => Ok(simulate(&self.flags())?),
        }
    }

    fn night(&self, scenario: &str) -> anyhow::Result<Night> {
        let file = read(scenario)?;
        let wish = Wish {
            seed: self.seed.unwrap_or(file.seed),
            sight: if self.unseen {
                Sight::Unseen
            } else {
                Sight::Seen
            },
            scale: self.scale,
        };
        let night = file.night(wish);
        night.with_context(|| format!("the scenario {scenario}"))
    }

    fn flags(&self) -> Scenario {
        Scenario {
            listeners: self.listeners,
            seats: self.seats.unwrap_or((self.listeners / 8).max(20)),
            minutes: self.minutes,
            curve: self.curve,
            seed: self.seed.unwrap_or(1),
            shards: self.shards,
            attacks: self.attack.clone(),
            beside: (self.listeners / 100).max(50),
            stay_minutes: self.stay,
            costs: Costs {
                sweep_ns: self.sweep_us * 1e3,
                second_ns: self.second_us * 1e3,
                knock_ns: self.knock_us * 1e3,
            },
            ..Scenario::default()
        }
    }
}

/// A scenario by its name in the library, or by its file.
pub(super) fn read(scenario: &str) -> anyhow::Result<File> {
    if let Some(file) = library(scenario) {
        return file.with_context(|| format!("the scenario {scenario}"));
    }
    let path = Path::new(scenario);
    let Ok(size) = std::fs::metadata(path).map(|about| about.len()) else {
        bail!(unknown(scenario));
    };
    ensure!(
        size <= FILE_BYTES_MAX,
        "{scenario} is larger than {FILE_BYTES_MAX} bytes; is this the right file?"
    );
    let text =
        std::fs::read_to_string(path).with_context(|| format!("{scenario} cannot be read"))?;
    File::read(&text).with_context(|| format!("the scenario {scenario}"))
}

fn unknown(name: &str) -> String {
    format!(
        "{name} is neither a scenario of the library nor a file; `hustings simulate --list` shows the library"
    )
}

fn list(json: bool) -> anyhow::Result<String> {
    let (mut text, mut all) = (String::new(), Vec::new());
    for (name, _) in LIBRARY {
        let file = read(name)?;
        let label: Vec<_> = file.label.iter().map(ToString::to_string).collect();
        text.push_str(&format!(
            "{name:20} {} [{}]\n",
            file.about,
            label.join(", ")
        ));
        all.push(serde_json::json!({ "name": name, "about": file.about, "label": label }));
    }
    if json {
        return Ok(format!("{}\n", serde_json::to_string_pretty(&all)?));
    }
    Ok(text)
}

fn curve(name: &str) -> Result<Curve, String> {
    Curve::from_name(name).ok_or_else(|| {
        let names = Curve::ALL.map(Curve::name).join(", ");
        format!("curves are {names}")
    })
}

fn attack(word: &str) -> Result<Attack, String> {
    let names = || {
        let names = hustings_rehearse::ATTACKS.map(Kind::name).join(", ");
        format!("an attack is KIND=FACTOR, with one of {names}")
    };
    let (kind, factor) = word.split_once('=').ok_or_else(names)?;
    Ok(Attack {
        kind: Kind::attack(kind).ok_or_else(names)?,
        factor: factor.parse().map_err(|_| names())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_night_is_printed_in_words_and_json() {
        let mut command = SimulateCommand {
            listeners: 300,
            scenario: None,
            scale: None,
            unseen: false,
            list: false,
            show: None,
            seats: Some(50),
            minutes: 2,
            curve: Curve::Push,
            seed: Some(7),
            shards: 2,
            attack: vec![attack("forged=2").unwrap()],
            stay: 1.0,
            sweep_us: 5.0,
            second_us: 2.0,
            knock_us: 40.0,
            report: None,
            json: false,
        };
        let words = command.output().unwrap();
        assert!(words.contains("offered 380 = admitted"), "{words}");
        command.json = true;
        let json: serde_json::Value = serde_json::from_str(&command.output().unwrap()).unwrap();
        assert_eq!(json["sums"]["offered"], 380);
        command.minutes = 0;
        assert!(command.output().is_err());
        assert!(attack("flood").is_err() && attack("page=1").is_err() && curve("up").is_err());
    }

    fn parsed(line: &str) -> Result<SimulateCommand, clap::Error> {
        #[derive(clap::Parser)]
        struct Only {
            #[command(flatten)]
            simulate: SimulateCommand,
        }
        let words = std::iter::once("simulate").chain(line.split(' '));
        <Only as clap::Parser>::try_parse_from(words).map(|only| only.simulate)
    }

    fn output(line: &str) -> anyhow::Result<String> {
        parsed(line)?.output()
    }

    #[test]
    fn scenarios_are_listed_shown_and_run_by_name_and_by_file() {
        let list = output("--list").unwrap();
        assert_eq!(list.lines().count(), LIBRARY.len());
        assert!(list.contains("the-night"), "{list}");
        let by_name = output("--scenario quiet-evening --seed 3").unwrap();
        assert!(
            by_name.contains("what a report must say: quiet"),
            "{by_name}"
        );
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.toml");
        std::fs::write(&file, output("--show quiet-evening").unwrap()).unwrap();
        let by_file = output(&format!("--scenario {} --seed 3", file.display()));
        assert_eq!(by_file.unwrap(), by_name);
        let other = output("--scenario quiet-evening --seed 3 --unseen --scale 0.5").unwrap();
        assert_ne!(other, by_name);
        let json = output("--scenario reconnect-herd --json").unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["night"]["label"][0], "reconnect-storm");
        assert!(
            json["fell_out"].as_u64() > Some(100),
            "{}",
            json["fell_out"]
        );
    }

    #[test]
    fn the_report_of_a_virtual_night_says_what_its_label_says() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("night.html");
        let said = output(&format!(
            "--scenario bad-deploy --report {}",
            file.display()
        ))
        .unwrap();
        assert!(said.starts_with("It was our own mistake."), "{said}");
        let page = std::fs::read_to_string(&file).unwrap();
        assert!(page.contains("None of this happened"), "{page}");
        assert!(output("--listeners 50 --report x").is_err());
    }

    #[test]
    fn what_is_wrong_with_a_scenario_is_said_with_its_line_and_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bad.toml");
        let good = output("--show quiet-evening").unwrap();
        std::fs::write(&file, good.replace("minutes = 4", "minutes = 4000")).unwrap();
        let why = output(&format!("--scenario {}", file.display())).unwrap_err();
        let why = format!("{why:#}");
        let line = good.lines().position(|line| line == "minutes = 4").unwrap() + 1;
        assert!(why.contains(&format!("line {line}, `minutes`")), "{why}");
        assert!(output("--scenario no-such").is_err() && output("--show no-such").is_err());
        assert!(parsed("--scenario quiet-evening --listeners 5").is_err());
        assert!(output("--scenario quiet-evening --scale 0").is_err());
        assert!(output("--scenario quiet-evening --scale 1e9").is_err());
    }
}
