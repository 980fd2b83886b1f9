//! `hustings rehearse`: the night on real sockets, and what it allows to claim.

mod arguments;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hustings_rehearse::Night;
use hustings_rehearse::fit::{POINTS_LEAST, ROUNDS_LEAST};
use hustings_rehearse::scenario::{File, Sight, Wish, library};

use self::arguments::{faster, part, permit_text};
use super::parse_ttl;
use crate::clock::Clock;
use crate::open_files;
use crate::rehearse::{
    Cue, FORMAT, Loads, Plan, Record, Seen, Target, Wire, beside_simulation, greet,
    loads_beside_simulation, page, tell, words,
};

/// Files that a driver needs beside its connections.
const FILES_SPARE: u64 = 64;
/// Requests that one visit makes in its first seconds: the page, the sound, the right to come back; one more for the door.
const REQUESTS_A_VISIT: u32 = 4;
/// Longest wait for the moment at which several drivers begin.
const WAIT_MAX: Duration = Duration::from_secs(3_600);
/// Bytes of a record that is read to be put together with others.
const RECORD_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Rehearse the night on real sockets: people come on schedule, see the page, wait at the door, listen, leave and come back,
/// and every listener's sound is checked for gaps. Without a permit only this machine is rehearsed.
#[derive(Clone, Debug, clap::Args)]
pub struct RehearseCommand {
    /// URL of the public listener.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub target: String,
    /// The space that the crowd comes to.
    #[arg(long, default_value = "demo")]
    pub space: String,
    /// What the target's operator minted with `hustings token --rehearsal`, or a file that holds it.
    #[arg(long)]
    pub permit: Option<String>,
    /// PEM certificates to trust for https. Default: the system's.
    #[arg(long)]
    pub ca: Option<PathBuf>,
    /// A scenario of the library by its name (announced-start, the-night …), or a file, as docs/simulate.md describes it.
    #[arg(long, conflicts_with = "claim")]
    pub scenario: Option<String>,
    /// Multiplies the scenario's people and seats, or the one that its number names.
    #[arg(long, requires = "scenario")]
    pub scale: Option<f64>,
    /// Plays the scenario so many times as fast: the-night in seven minutes with 10.
    #[arg(long, value_name = "TIMES", requires = "scenario", value_parser = faster)]
    pub faster: Option<f64>,
    /// The space that the scenario's second one stands for. Default: --space.
    #[arg(long, requires = "scenario")]
    pub beside: Option<String>,
    /// Run by `sh -c` for what a driver cannot do (kill the node, fill the disk, open the doors), with TROUBLE as JSON.
    #[arg(long, value_name = "COMMAND", requires = "scenario")]
    pub hook: Option<String>,
    /// Hold loads and claim what the installation holds: the highest of them in listeners. It needs a permit.
    #[arg(long, value_name = "LISTENERS", value_parser = clap::value_parser!(u32).range(10..))]
    pub claim: Option<u32>,
    /// Loads up to the highest.
    #[arg(long, default_value_t = POINTS_LEAST as u32, value_parser = clap::value_parser!(u32).range(1..=50))]
    pub points: u32,
    /// Times that each load is held.
    #[arg(long, default_value_t = ROUNDS_LEAST as u32, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub rounds: u32,
    /// How long each load is held, such as 10s.
    #[arg(long, default_value = "10s", value_parser = parse_ttl)]
    pub hold: Duration,
    /// Presses a second while a load is reached. Default: what the permit allows, 200 at most.
    #[arg(long)]
    pub rate: Option<u32>,
    /// Whatever happens by chance happens by this number.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// This driver's part of several, such as 2/4. Each prints a record; --merge puts them together.
    #[arg(long, value_parser = part, default_value = "1/1")]
    pub part: (u32, u32),
    /// Unix second at which to begin, so that several drivers begin together.
    #[arg(long, value_name = "SECOND")]
    pub at: Option<u64>,
    /// Put the records of several drivers together in place of rehearsing.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub merge: Vec<PathBuf>,
    /// Write the page with plots here.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Print JSON, as docs/rehearse.md describes it.
    #[arg(long)]
    pub json: bool,
}

impl RehearseCommand {
    /// # Errors
    /// When there is no leave to go there, when the driver fails or was the bottleneck, and when a claim was asked for and none can
    /// be made.
    pub fn run(&self) -> anyhow::Result<()> {
        let record = if self.merge.is_empty() {
            self.rehearse()?
        } else {
            self.put_together()?
        };
        if let Some(file) = &self.html {
            std::fs::write(file, page(&record))
                .with_context(|| format!("{} cannot be written", file.display()))?;
        }
        if self.json {
            println!("{}", serde_json::to_string_pretty(&record)?);
        } else {
            print!("{}", words(&record));
        }
        if let Some(claim) = &record.claim
            && claim.capacity.is_none()
            && record.parts.len() as u32 == record.of
        {
            anyhow::bail!("no claim is made: {}", claim.refused.join("; "));
        }
        if let Some(why) = &record.bottleneck {
            anyhow::bail!(
                "the driver was the bottleneck, and what was seen says little of the target: {why}"
            );
        }
        if let Some(why) = &record.ended_early
            && record.seen.people.heard == 0
        {
            anyhow::bail!("nobody heard anything: {why}");
        }
        Ok(())
    }

    fn put_together(&self) -> anyhow::Result<Record> {
        let read = |file: &PathBuf| -> anyhow::Result<Record> {
            let told = || format!("{} is no record of a rehearsal", file.display());
            let len = std::fs::metadata(file).with_context(told)?.len();
            ensure!(
                len <= RECORD_BYTES_MAX,
                "{} is larger than any record",
                file.display()
            );
            serde_json::from_str(&std::fs::read_to_string(file).with_context(told)?)
                .with_context(told)
        };
        let records: Vec<Record> = self.merge.iter().map(read).collect::<anyhow::Result<_>>()?;
        Record::merge(&records)
    }

    fn rehearse(&self) -> anyhow::Result<Record> {
        let clock = Clock::start();
        let permit = self.permit.as_deref().map(permit_text).transpose()?;
        let target = Target::new(
            &self.target,
            permit.as_deref(),
            self.ca.as_deref(),
            clock.wall(),
        )?;
        let (part, of) = self.part;
        let mut record = Record {
            format: FORMAT,
            target: target.name.clone(),
            what: "claim".to_owned(),
            seed: self.seed,
            scale: 1.0,
            parts: vec![part],
            of,
            begun_ms: 0,
            lasted_s: 0.0,
            permit: target
                .permit
                .as_ref()
                .map(|permit| format!("{:016x}", permit.id)),
            ended_early: None,
            bottleneck: None,
            seen: Seen::default(),
            points: Vec::new(),
            not_rehearsed: target.unseen(),
            claim: None,
            simulated: Vec::new(),
        };
        let connections = usize::try_from(open_files::raise().saturating_sub(FILES_SPARE))?;
        self.wait_for_the_others(clock)?;
        record.begun_ms = clock.wall().0;
        let begun = Instant::now();
        match &self.scenario {
            Some(name) => self.play(name, target.clone(), connections, &mut record)?,
            None => self.hold(target.clone(), connections, &mut record)?,
        }
        record.lasted_s = begun.elapsed().as_secs_f64();
        record.conclude();
        // Who ended it knows that it is over.
        if record.ended_early.is_none()
            && let Err(error) = tell(&target, &record)
        {
            eprintln!(
                "the target could not be told how it went, and keeps it as not passed: {error:#}"
            );
        }
        Ok(record)
    }

    fn hold(&self, target: Target, connections: usize, record: &mut Record) -> anyhow::Result<()> {
        let top = self
            .claim
            .context("say what to rehearse: --scenario NAME, or --claim LISTENERS")?;
        ensure!(
            target.permit.is_some(),
            "a claim needs --permit: only with one the target tells what it uses"
        );
        let allowed = target
            .permit
            .as_ref()
            .map_or(u32::MAX, |permit| permit.rate / REQUESTS_A_VISIT);
        let people = target
            .permit
            .as_ref()
            .map_or(u32::MAX, |permit| permit.people);
        ensure!(
            top <= people,
            "the permit allows {people} listeners, and {top} are wanted"
        );
        let rate = self.rate.unwrap_or(200).min(allowed.max(1));
        let (part, of) = self.part;
        ensure!(
            top as usize / (of as usize) < connections,
            "a driver here has {connections} connections: use several with --part, or raise the limit of open files"
        );
        greet(&target, &self.space)?;
        let loads = Loads {
            space: self.space.as_str().into(),
            top,
            points: self.points,
            rounds: self.rounds,
            hold: self.hold,
            rate: f64::from(rate),
            part: (part - 1, of),
        };
        let mut wire = Wire::new(target, connections)?;
        record.points = loads.hold_all(&mut wire, |point| {
            eprintln!(
                "round {}: {:.0} listeners held {:.0} s, {} harmed, driver at {:.0} %",
                point.round,
                point.listeners,
                point.lasted_s,
                point.harmed,
                point.driver.cpu * 100.0
            );
        })?;
        record.ended_early = wire.refused().map(|refusal| refusal.to_string());
        record.seen = wire.finish();
        if of == 1 && record.ended_early.is_none() {
            record.simulated =
                loads_beside_simulation(&record.points, f64::from(rate), self.seed, &record.seen)?;
        }
        Ok(())
    }

    fn play(
        &self,
        name: &str,
        target: Target,
        connections: usize,
        record: &mut Record,
    ) -> anyhow::Result<()> {
        let night = self.night(name)?;
        record.what = match self.faster {
            Some(times) if times > 1.0 => format!("{}, {times} times as fast", night.name),
            _ => night.name.clone(),
        };
        record.scale = self.scale.unwrap_or(1.0);
        let (part, of) = self.part;
        let beside = self.beside.as_deref().unwrap_or(&self.space);
        for space in [self.space.as_str(), beside] {
            greet(&target, space)?;
        }
        let mut plan = Plan::new(
            &night,
            &[&self.space, beside],
            (part - 1, of),
            Box::new(|cue| self.hooked(cue)),
        );
        let ends = plan.ends(&night);
        let mut wire = Wire::new(target, connections)?;
        wire.run(&mut plan, ends)?;
        wire.wind_down()?;
        record.ended_early = wire.refused().map(|refusal| refusal.to_string());
        record.not_rehearsed.extend(
            plan.left_out()
                .map(|what| format!("of the scenario: {what}")),
        );
        record.seen = wire.finish();
        if of == 1 && record.ended_early.is_none() {
            record.simulated = beside_simulation(&night, &record.seen)?;
        }
        Ok(())
    }

    fn night(&self, name: &str) -> anyhow::Result<Night> {
        let file = match library(name) {
            Some(known) => known?,
            None => {
                let text = std::fs::read_to_string(name).with_context(|| {
                    format!("{name:?} is no scenario of the library, and no file that can be read")
                })?;
                File::read(&text).with_context(|| name.to_owned())?
            }
        };
        let night = file.night(Wish {
            seed: self.seed,
            sight: Sight::Seen,
            scale: self.scale,
        })?;
        Ok(night.faster(self.faster.unwrap_or(1.0)))
    }

    fn hooked(&self, cue: &Cue) -> bool {
        let (Some(hook), Ok(json)) = (&self.hook, serde_json::to_string(cue)) else {
            return false;
        };
        let child = Command::new("sh")
            .args(["-c", hook])
            .env("TROUBLE", json)
            .stdin(Stdio::null())
            .spawn();
        // It is not waited for: the crowd goes on meanwhile.
        child.is_ok()
    }

    fn wait_for_the_others(&self, clock: Clock) -> anyhow::Result<()> {
        let Some(at) = self.at else {
            return Ok(());
        };
        let wait = Duration::from_millis((at * 1_000).saturating_sub(clock.wall().0));
        ensure!(
            wait <= WAIT_MAX,
            "--at is more than {} minutes away",
            WAIT_MAX.as_secs() / 60
        );
        std::thread::sleep(wait);
        Ok(())
    }
}
