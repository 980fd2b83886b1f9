//! What the report about a scenario must say.

use serde::{Deserialize, Serialize};

/// A class of verdict, and within it what: `attack:flood`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label {
    pub class: Class,
    /// Which attack, which mistake, which dependency.
    pub what: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    FlashCrowd,
    Attack,
    ReconnectStorm,
    OwnMistake,
    DependencyFailure,
    /// Something happened, and what can be seen does not say what.
    Undetermined,
    /// Nothing happened that needs a word.
    Quiet,
}

impl Class {
    pub const ALL: [Self; 7] = [
        Self::FlashCrowd,
        Self::Attack,
        Self::ReconnectStorm,
        Self::OwnMistake,
        Self::DependencyFailure,
        Self::Undetermined,
        Self::Quiet,
    ];

    pub fn name(self) -> &'static str {
        [
            "flash-crowd",
            "attack",
            "reconnect-storm",
            "own-mistake",
            "dependency-failure",
            "undetermined",
            "quiet",
        ][self as usize]
    }
}

impl TryFrom<String> for Label {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (name, what) = match text.split_once(':') {
            Some((name, what)) => (name, Some(what)),
            None => (text.as_str(), None),
        };
        let class = Class::ALL.into_iter().find(|class| class.name() == name);
        let names = || {
            let names = Class::ALL.map(Class::name).join(", ");
            format!("a label is one of {names}, and what after a colon")
        };
        let class = class.ok_or_else(names)?;
        let fits = |what: &str| {
            (1..=32).contains(&what.len())
                && what.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        };
        if what.is_some_and(|what| !fits(what)) {
            return Err("what stands after a label's colon has 1 to 32 letters a-z and '-'".into());
        }
        Ok(Self {
            class,
            what: what.map(str::to_owned),
        })
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.to_string()
    }
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.class.name())?;
        match &self.what {
            Some(what) => write!(f, ":{what}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Label {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Label".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names = Class::ALL.map(Class::name).join("|");
        schemars::json_schema!({
            "type": "string",
            "pattern": format!("^({names})(:[a-z-]{{1,32}})?$"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_and_written_alike() {
        for text in ["flash-crowd", "attack:slow-heads", "own-mistake:limit"] {
            let label = Label::try_from(text.to_owned()).unwrap();
            assert_eq!(label.to_string(), text);
        }
        for bad in ["", "crowd", "attack:", "attack:Flood", "attack:a:b"] {
            assert!(Label::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
