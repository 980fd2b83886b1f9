//! One row a second of a node ([`NodeRow`]) and of each of its spaces ([`SpaceRow`]), and what happens between
//! ([`Happening`]).
//!
//! Integers, short enums and bounded text; no address, no person, no secret. In JSON whatever is 0, empty or false is left
//! out, and a reader takes what is missing for that: a new field is no break. A count of a kind that a reader does not know
//! goes to its `others`, so that sums stay right. [`table`] writes every field with its unit.

mod counts;
mod happening;
mod knocks;
mod node;
mod space;

use serde::{Deserialize, Serialize};

pub use self::counts::{Counts, Named};
pub use self::happening::{Happening, TEXT_MAX, Text, What, Who};
pub use self::knocks::{Behaviour, Knocks, LaneKnocks, People, Spread};
pub use self::node::{
    Connections, Cpu, Dependencies, Faults, Latency, Machine, Network, NodeRow, Shed, Tls, Used,
};
pub use self::space::{SpaceRow, Stage};

/// Spaces that have a row of their own each second; those of which least happens are only in the node's sums, and
/// `NodeRow::spaces_untold` says how many.
pub const SPACES_MAX: usize = 64;

/// Anything that stands in the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Row {
    Node(Box<NodeRow>),
    Space(Box<SpaceRow>),
    Happening(Happening),
}

/// A field as [`table`] tells it. The text begins with the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub about: &'static str,
}

/// Declares structs of a row, and of each the list of its fields with what is said of them.
macro_rules! parts {
    ($(
        #[doc = $about:literal]
        pub struct $name:ident {
            $( $(#[doc = $doc:literal])+ pub $field:ident: $type:ty, )+
        }
    )+) => { $(
        #[doc = $about]
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                #[serde(skip_serializing_if = "crate::row::is_nothing")]
                pub $field: $type,
            )+
        }

        impl $name {
            /// Every field with its unit.
            pub const FIELDS: &'static [crate::row::Field] = &[
                $( crate::row::Field { name: stringify!($field), about: concat!($($doc),+) }, )+
            ];
        }
    )+ };
}
pub(crate) use parts;

fn is_nothing<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// All fields in Markdown, as docs/flight.md has them.
pub fn table() -> String {
    let parts = [
        ("node", NodeRow::FIELDS),
        ("space", SpaceRow::FIELDS),
        ("knocks", Knocks::FIELDS),
        ("a lane of knocks", LaneKnocks::FIELDS),
        ("spread", Spread::FIELDS),
        ("people", People::FIELDS),
        ("behaviour", Behaviour::FIELDS),
        ("stage", Stage::FIELDS),
        ("connections", Connections::FIELDS),
        ("cpu", Cpu::FIELDS),
        ("machine", Machine::FIELDS),
        ("network", Network::FIELDS),
        ("tls", Tls::FIELDS),
        ("faults", Faults::FIELDS),
        ("dependencies", Dependencies::FIELDS),
        ("a latency", Latency::FIELDS),
        ("used", Used::FIELDS),
        ("happening", Happening::FIELDS),
    ];
    let mut text = String::new();
    for (part, fields) in parts {
        text.push_str(&format!("### {part}\n| field | unit: what |\n|---|---|\n"));
        for Field { name, about } in fields {
            text.push_str(&format!("| `{name}` | {} |\n", about.trim()));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
