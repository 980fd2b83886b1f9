//! `hustings report`: what happened in a space, from what the flight recorder has kept.

mod verify;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use hustings_control::ids::SpaceId;
use hustings_evidence::chain::{Expect, Hash, PublicKey, Tip};
use hustings_evidence::judge::{Class, Outcome};

use crate::ops::report::{Report, load};

/// Say what happened in a space on its last night: flash crowd, attack, reconnect storm, our own mistake, a dependency that
/// failed, several at once, or that we cannot say; with what speaks for and against it (docs/verdict.md). The records are
/// verified first. Or, with --verify, only check that no row was changed, taken out, put in or moved since it was written.
/// Exit code 1 when the records are not whole.
#[derive(Clone, Debug, clap::Args)]
pub struct ReportCommand {
    /// The space's id.
    #[arg(required_unless_present = "verify")]
    pub space: Option<String>,
    /// Where the records are: the node's data folder, a folder of segments, or one segment.
    #[arg(long, default_value = "./hustings-data")]
    pub data: PathBuf,
    /// For everybody: without what could point to somebody.
    #[arg(long)]
    pub public: bool,
    /// Write the report to this file: one HTML page that needs nothing else, or JSON with --json. Without it, words go to
    /// the terminal.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The report's title. Default: the space's id.
    #[arg(long)]
    pub title: Option<String>,
    /// Only check the records: a data folder, a folder of segments, or one segment.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["space", "public", "out", "title"])]
    pub verify: Option<PathBuf>,
    /// A head that was published (in the log, on the status page), as N:HASH: the chain must contain it. Repeatable.
    #[arg(long, value_name = "N:HASH", value_parser = head)]
    pub head: Vec<Tip>,
    /// The node's public key, 64 hex digits, when it is known from elsewhere. Default: the one that the chain names.
    #[arg(long, value_name = "HEX")]
    pub key: Option<PublicKey>,
    /// Print JSON instead of words.
    #[arg(long)]
    pub json: bool,
}

impl ReportCommand {
    /// # Errors
    /// When the chain does not hold, cannot be read, or has nothing of the space.
    pub fn run(&self) -> anyhow::Result<()> {
        let expect = Expect {
            key: self.key,
            heads: self.head.clone(),
            part: false,
        };
        if let Some(path) = &self.verify {
            return verify::run(path, expect, self.json);
        }
        let report = self.report(expect)?;
        match &self.out {
            Some(path) => self.write(&report, path)?,
            None if self.json => println!("{}", report.json()?),
            None => print!("{}", in_words(&report)),
        }
        anyhow::ensure!(
            report.proof.whole,
            "the records are not whole: {}",
            report.proof.words
        );
        Ok(())
    }

    fn report(&self, mut expect: Expect) -> anyhow::Result<Report> {
        let space = self.space.as_deref().unwrap_or_default();
        let space = SpaceId::parse(space).context("a space's id")?;
        let title = self
            .title
            .clone()
            .unwrap_or_else(|| space.as_str().to_owned());
        // Of one segment nothing is asked of those before it.
        expect.part = self.data.is_file();
        let records = load(&self.data, space.clone(), title, expect)?;
        anyhow::ensure!(
            !records.seconds.is_empty() || !records.proof.whole,
            "the flight recorder has no row of the space {space} in {}",
            self.data.display()
        );
        Ok(Report::new(&records, self.public))
    }

    fn write(&self, report: &Report, path: &Path) -> anyhow::Result<()> {
        let text = if self.json {
            report.json()?
        } else {
            report.html()
        };
        std::fs::write(path, text)
            .with_context(|| format!("{} cannot be written", path.display()))?;
        println!("{} {}", report.finding.headline, path.display());
        Ok(())
    }
}

fn in_words(report: &Report) -> String {
    let finding = &report.finding;
    let mut text = format!("{}\n{}\n", finding.headline, finding.summary);
    for class in Class::ALL {
        let Some(each) = finding.explanation(class) else {
            continue;
        };
        text.push_str(&format!(
            "\n{}: {}; evidence {} ({} points)\n",
            each.class.title(),
            each.part.words(),
            each.strength.words(),
            each.points
        ));
        for evidence in each.supporting.iter().chain(&each.against) {
            text.push_str(&format!(
                "  {:+} {}: {}\n",
                evidence.points, evidence.rule, evidence.words
            ));
        }
    }
    if finding.outcome == Outcome::Undetermined {
        text.push_str("\nNo verdict: see what is missing above.\n");
    }
    let list = |title: &str, lines: &[String]| {
        let lines = lines.iter().map(|line| format!("  {line}\n"));
        format!("\n{title}\n{}", lines.collect::<String>())
    };
    if !finding.would_have_helped.is_empty() {
        text.push_str(&list("What would have helped", &finding.would_have_helped));
    }
    text.push_str(&list("What this report does not know", &finding.unseen));
    text.push_str(&format!("\n{}\n", report.proof.words));
    text
}

fn head(text: &str) -> Result<Tip, String> {
    let say = || format!("`{text}` is no head; it is a serial and 64 hex digits, as N:HASH");
    let (n, hash) = text.split_once(':').ok_or_else(say)?;
    Ok(Tip {
        n: n.parse().map_err(|_| say())?,
        hash: hash.parse::<Hash>().map_err(|_| say())?,
    })
}
