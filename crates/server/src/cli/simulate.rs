//! `hustings simulate`: a night in virtual time. The gate, line, cadence and shard are the production's; the people, the
//! clock and the cost of those inside are told.

use hustings_rehearse::{Attack, Costs, Curve, Kind, Scenario, simulate, table};

/// Rehearse a night in virtual time: the crowd comes by a curve, the real gate decides about each, and what each kind of
/// people experienced is printed. The same numbers and seed print the same bytes. Nothing is sent anywhere.
#[derive(Clone, Debug, clap::Args)]
pub struct SimulateCommand {
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
    /// Whatever happens by chance happens by this number.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Shards, each a core with its gate. Default: as many as the seats need.
    #[arg(long, default_value_t = 0)]
    pub shards: u32,
    /// Attack beside the crowd, such as flood=10: ten times as many knocks (flood, forged, replay) or people (prefixes, botnet,
    /// farm) as the crowd has people; native=10 is ten native solvers for a thousand of the crowd. Can be given several times.
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
        let report = simulate(&self.scenario())?;
        if self.json {
            return Ok(format!("{}\n", serde_json::to_string_pretty(&report)?));
        }
        Ok(table(&report))
    }

    fn scenario(&self) -> Scenario {
        Scenario {
            listeners: self.listeners,
            seats: self.seats.unwrap_or((self.listeners / 8).max(20)),
            minutes: self.minutes,
            curve: self.curve,
            seed: self.seed,
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
            seats: Some(50),
            minutes: 2,
            curve: Curve::Push,
            seed: 7,
            shards: 2,
            attack: vec![attack("forged=2").unwrap()],
            stay: 1.0,
            sweep_us: 5.0,
            second_us: 2.0,
            knock_us: 40.0,
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
}
