//! The rows of BENCHMARKS.md: what was measured, what is to be reached, and whether it was.

/// What a row's number must be.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
    /// Stands beside another row, to compare with.
    Beside,
}

#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<[String; 4]>,
}

impl Table {
    /// A row whose number was measured.
    pub(crate) fn add(&mut self, what: impl Into<String>, value: f64, unit: &str, bound: Bound) {
        let (reach, verdict) = match bound {
            Bound::AtMost(most) => (
                format!("<= {} {unit}", digits(most)),
                if value <= most { "met" } else { "**lost**" },
            ),
            Bound::AtLeast(least) => (
                format!(">= {} {unit}", digits(least)),
                if value >= least { "met" } else { "**lost**" },
            ),
            Bound::Beside => ("-".to_owned(), ""),
        };
        let row = [
            what.into(),
            format!("{} {unit}", digits(value)),
            reach,
            verdict.to_owned(),
        ];
        println!("  {}: {} (to reach: {}) {}", row[0], row[1], row[2], row[3]);
        self.rows.push(row);
    }

    /// A row that this machine could not measure, with the reason.
    pub(crate) fn missing(&mut self, what: &str, why: &anyhow::Error) {
        println!("  {what}: not measured: {why:#}");
        self.rows.push([
            what.to_owned(),
            format!("{why:#}"),
            String::new(),
            "not measured".to_owned(),
        ]);
    }

    pub(crate) fn print(&self) {
        println!("\n| what | measured | to reach | |\n|---|---|---|---|");
        for row in &self.rows {
            println!("| {} |", row.join(" | "));
        }
    }

    /// False when a row is missing.
    pub(crate) fn complete(&self) -> bool {
        self.rows.iter().all(|row| row[3] != "not measured")
    }
}

/// Three digits that count, and no more behind the point than are true.
fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
