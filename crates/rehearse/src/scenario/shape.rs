//! How a crowd of a file arrives: a curve by its name, or by its points.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

use crate::curve::Curve;
use crate::limits::POINTS_MAX;

#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    Named(Curve),
    /// Share of the time, share of the people, both ascending to 1.
    Points(Vec<(f64, f64)>),
}

impl Default for Shape {
    fn default() -> Self {
        Self::Named(Curve::Steady)
    }
}

impl Shape {
    pub(crate) fn points(&self) -> &[(f64, f64)] {
        match self {
            Self::Named(curve) => curve.points(),
            Self::Points(points) => points,
        }
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Curve::ALL.map(Curve::name).join(", ");
        write!(f, "one of {names}, or points [[time, people], …]")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Shape, E> {
        let unknown = || E::invalid_value(de::Unexpected::Str(name), &self);
        Curve::from_name(name).map(Shape::Named).ok_or_else(unknown)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
        let mut points: Vec<(f64, f64)> = Vec::new();
        let mut before = (0.0, 0.0);
        while let Some(point) = list.next_element::<(f64, f64)>()? {
            let rises = point.0 >= before.0 && point.1 >= before.1;
            if !rises || point.0 > 1.0 || point.1 > 1.0 || points.len() >= POINTS_MAX {
                return Err(de::Error::custom(format_args!(
                    "points are shares [time, people] from 0 to 1, both ascending, {POINTS_MAX} at most"
                )));
            }
            before = point;
            points.push(point);
        }
        if before.1 < 1.0 {
            return Err(de::Error::custom(
                "a curve's last point has the people's share 1: all have come",
            ));
        }
        Ok(Shape::Points(points))
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Shape {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Curve".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let share = serde_json::json!({ "type": "number", "minimum": 0, "maximum": 1 });
        schemars::json_schema!({
            "description": "A curve by its name, or points [share of the time, share of the people], both ascending to 1.",
            "anyOf": [
                { "enum": Curve::ALL.map(Curve::name) },
                {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": POINTS_MAX,
                    "items": { "type": "array", "items": share, "minItems": 2, "maxItems": 2 },
                },
            ],
        })
    }
}
