//! A number of a scenario: said, or drawn by the seed from a range.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use crate::dice::Dice;

/// Which ranges a run draws from. Rules are written while looking at the seen ones; the unseen ones show whether they hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sight {
    #[default]
    Seen,
    Unseen,
}

/// `12`, `{ from = 10, to = 20 }`, or `{ seen = { from = 10, to = 20 }, unseen = { from = 20, to = 40 } }`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Said(f64),
    Drawn { seen: Span, unseen: Span },
}

/// Both ends can be drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    pub from: f64,
    pub to: f64,
}

impl Number {
    /// One number; a drawn one takes one roll, so that the other numbers of a scenario are the same whatever `sight` is.
    pub(crate) fn draw(self, dice: &mut Dice, sight: Sight) -> f64 {
        match self {
            Self::Said(number) => number,
            Self::Drawn { seen, unseen } => {
                let span = if sight == Sight::Seen { seen } else { unseen };
                span.from + (span.to - span.from) * dice.part()
            }
        }
    }

    pub(crate) fn scaled(self, scale: f64) -> Self {
        let span = |span: Span| Span {
            from: span.from * scale,
            to: span.to * scale,
        };
        match self {
            Self::Said(number) => Self::Said(number * scale),
            Self::Drawn { seen, unseen } => Self::Drawn {
                seen: span(seen),
                unseen: span(unseen),
            },
        }
    }

    /// All ends that it can have.
    pub(crate) fn ends(self) -> [f64; 4] {
        match self {
            Self::Said(number) => [number; 4],
            Self::Drawn { seen, unseen } => [seen.from, seen.to, unseen.from, unseen.to],
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, { from = …, to = … }, or { seen = {…}, unseen = {…} }")
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Number, E> {
        if number.is_finite() {
            Ok(Number::Said(number))
        } else {
            Err(E::custom("this is no number"))
        }
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Number, E> {
        self.visit_f64(number as f64)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Number, E> {
        self.visit_f64(number as f64)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Number, A::Error> {
        let (mut from, mut to, mut seen, mut unseen) = (None, None, None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "from" => from = Some(map.next_value()?),
                "to" => to = Some(map.next_value()?),
                "seen" => seen = Some(map.next_value::<PlainSpan>()?.span()?),
                "unseen" => unseen = Some(map.next_value::<PlainSpan>()?.span()?),
                other => {
                    let known = &["from", "to", "seen", "unseen"];
                    return Err(de::Error::unknown_field(other, known));
                }
            }
        }
        match (from, to, seen, unseen) {
            (Some(from), Some(to), None, None) => {
                let span = PlainSpan { from, to }.span()?;
                Ok(Number::Drawn {
                    seen: span,
                    unseen: span,
                })
            }
            (None, None, Some(seen), Some(unseen)) => Ok(Number::Drawn { seen, unseen }),
            _ => Err(de::Error::custom(
                "a range has `from` and `to`, or `seen` and `unseen` with both in each",
            )),
        }
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainSpan {
    from: f64,
    to: f64,
}

impl PlainSpan {
    fn span<E: de::Error>(self) -> Result<Span, E> {
        let Self { from, to } = self;
        if from.is_finite() && to.is_finite() && from <= to {
            Ok(Span { from, to })
        } else {
            Err(E::custom(format_args!(
                "a range goes from the smaller number to the larger, not from {from} to {to}"
            )))
        }
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Number {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let span = serde_json::json!({
            "type": "object",
            "properties": { "from": { "type": "number" }, "to": { "type": "number" } },
            "required": ["from", "to"],
            "additionalProperties": false,
        });
        schemars::json_schema!({
            "description": "A number, or a range from which the seed draws one; with a range that the rules were written by, and one that they were not.",
            "anyOf": [
                { "type": "number" },
                span,
                {
                    "type": "object",
                    "properties": { "seen": span, "unseen": span },
                    "required": ["seen", "unseen"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct One {
        n: Number,
    }

    fn read(text: &str) -> Result<Number, toml::de::Error> {
        toml::from_str(text).map(|one: One| one.n)
    }

    #[test]
    fn numbers_and_ranges_are_read_and_drawn_within() {
        let mut dice = Dice::new(1);
        assert_eq!(read("n = 3").unwrap().draw(&mut dice, Sight::Seen), 3.0);
        let text = "n = { seen = { from = 1, to = 2.5 }, unseen = { from = 4, to = 4 } }";
        let number = read(text).unwrap();
        for _ in 0..100 {
            assert!((1.0..2.5).contains(&number.draw(&mut dice, Sight::Seen)));
            assert_eq!(number.draw(&mut dice, Sight::Unseen), 4.0);
        }
        let plain = read("n = { from = -1, to = 1 }").unwrap();
        assert_eq!(plain.ends(), [-1.0, 1.0, -1.0, 1.0]);
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "n = true",
            "n = nan",
            "n = { from = 2, to = 1 }",
            "n = { from = 2 }",
            "n = { from = 1, to = 2, seen = { from = 1, to = 2 } }",
            "n = { seen = { from = 1, to = 2 } }",
            "n = { from = 1, to = inf }",
            "n = { least = 1, to = 2 }",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
