//! The file of `--config`: each of its settings becomes the flag of the same name, so that both mean the same.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, CommandFactory as _, Parser as _};
use toml::{Spanned, Value};

use super::Hustings;

/// Bytes. A configuration file is a page of text; a larger one is a mistake in the path.
const BYTES_MAX: u64 = 64 * 1024;

type Settings = BTreeMap<Spanned<String>, Spanned<Value>>;

/// Puts what the file of `--config` sets before the flags, so that a flag wins over the file.
///
/// # Errors
/// When the file cannot be read, is no TOML, names a setting that is not there, or gives one a value that it cannot have:
/// with the file, the line and the name.
pub fn with_file(arguments: Vec<OsString>) -> anyhow::Result<Vec<OsString>> {
    let at = match arguments.get(1).and_then(|first| first.to_str()) {
        Some("serve") => 2,
        // Another command, which has no such file.
        Some(command) if !command.starts_with('-') => return Ok(arguments),
        _ => 1,
    };
    let Some(path) = path_in(&arguments) else {
        return Ok(arguments);
    };
    let from_file = flags_of(&path)?;
    let mut all = arguments;
    all.splice(at..at, from_file);
    Ok(all)
}

fn path_in(arguments: &[OsString]) -> Option<PathBuf> {
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "--config" {
            return rest.next().map(PathBuf::from);
        }
        if let Some(path) = argument
            .to_str()
            .and_then(|text| text.strip_prefix("--config="))
        {
            return Some(path.into());
        }
    }
    None
}

fn flags_of(path: &Path) -> anyhow::Result<Vec<OsString>> {
    let shown = path.display();
    let unreadable = || format!("the configuration {shown} cannot be read");
    let size = std::fs::metadata(path).with_context(unreadable)?.len();
    ensure!(
        size <= BYTES_MAX,
        "the configuration {shown} is larger than {BYTES_MAX} bytes; is this the right file?"
    );
    let text = std::fs::read_to_string(path).with_context(unreadable)?;
    let settings: Settings = toml::from_str(&text)
        .map_err(|error| anyhow::anyhow!("the configuration {shown} is no TOML: {error}"))?;
    let command = Hustings::command();
    let mut flags = Vec::new();
    for (name, value) in settings {
        let before = text.get(..name.span().start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let name = name.into_inner();
        let set = flags_for(&command, &name, value.into_inner())
            .with_context(|| format!("the configuration {shown}, line {line}, `{name}`"))?;
        flags.extend(set);
    }
    Ok(flags)
}

/// A setting as flags, tried on their own, so that what is wrong with it can be said with its line.
fn flags_for(command: &clap::Command, name: &str, value: Value) -> anyhow::Result<Vec<OsString>> {
    let long = name.replace('_', "-");
    let argument = command
        .get_arguments()
        .find(|argument| argument.get_long() == Some(&long) && !is_command_line_only(argument))
        .context("there is no such setting; `hustings serve --help` lists them")?;
    let flag = format!("--{long}");
    let flags = match (argument.get_action(), value) {
        (ArgAction::SetTrue, Value::Boolean(true)) => vec![flag],
        (ArgAction::SetTrue, Value::Boolean(false)) => Vec::new(),
        (ArgAction::SetTrue, _) => bail!("it is true or false"),
        (ArgAction::Append, Value::Array(values)) => {
            let mut flags = Vec::new();
            for value in values {
                flags.push(one(&flag, value)?);
            }
            flags
        }
        (_, value) => vec![one(&flag, value)?],
    };
    let tried = [vec!["hustings".to_owned()], flags.clone()].concat();
    if let Err(error) = Hustings::try_parse_from(tried)
        // What belongs together is looked at when all is known.
        && error.kind() != ErrorKind::MissingRequiredArgument
    {
        let told = error.to_string();
        let first = told.lines().next().unwrap_or_default();
        bail!("{}", first.trim_start_matches("error: "));
    }
    Ok(flags.into_iter().map(OsString::from).collect())
}

fn is_command_line_only(argument: &Arg) -> bool {
    ["config", "help", "version"].contains(&argument.get_id().as_str())
}

/// In one piece, so that a value that begins with a dash is not taken for a flag.
fn one(flag: &str, value: Value) -> anyhow::Result<String> {
    match value {
        Value::String(text) => Ok(format!("{flag}={text}")),
        Value::Integer(number) => Ok(format!("{flag}={number}")),
        Value::Float(number) => Ok(format!("{flag}={number}")),
        _ => bail!("it is one text or number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Command, Serve};

    fn parse(arguments: &[&str]) -> anyhow::Result<Serve> {
        let arguments = with_file(arguments.iter().map(OsString::from).collect())?;
        let parsed = Hustings::try_parse_from(arguments)?;
        Ok(match parsed.command {
            Some(Command::Serve(serve)) => *serve,
            _ => parsed.serve,
        })
    }

    fn from_file(text: &str, more: &[&str]) -> anyhow::Result<Serve> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let path = file.path().to_str().unwrap();
        let mut serve = parse(&[&["hustings", "serve", "--config", path], more].concat())?;
        serve.config = None;
        Ok(serve)
    }

    /// Every setting, with a value that is not its default. A new flag needs a line here.
    const SAMPLES: &[(&str, &str)] = &[
        ("log_format", "\"json\""),
        ("data", "\"/srv/hustings\""),
        ("listen", "\"0.0.0.0:443\""),
        ("media", "\"0.0.0.0:8443\""),
        ("stage", "\"0.0.0.0:8444\""),
        ("operator", "\"127.0.0.1:9999\""),
        ("public_url", "\"https://live.example.org\""),
        ("stage_url", "\"https://stage.example.org\""),
        ("media_public", "\"192.0.2.1:8443\""),
        ("tls_cert", "\"cert.pem\""),
        ("tls_key", "\"key.pem\""),
        ("trusted_proxy", "[\"192.0.2.0/24\", \"198.51.100.0/24\"]"),
        ("proxy_protocol", "true"),
        ("prefix_connections", "50"),
        ("handshakes", "50"),
        ("shield", "\"/run/shield\""),
        ("keep_recordings", "30"),
        ("flight_keep", "64"),
        ("cadence_min", "200"),
        ("cadence_max", "1000"),
        ("seats", "3000"),
        ("uplink", "\"2.5G\""),
        ("space_share", "0.25"),
        ("core_share", "0.5"),
        ("alarm_webhook", "\"https://example.org/hook\""),
        ("alarm_webhook_ca", "\"trusted.pem\""),
        ("operator_tls", "true"),
        ("time_server", "\"ntp.example.org\""),
        ("demo", "true"),
    ];

    #[test]
    fn every_flag_can_stand_in_the_file_and_means_the_same() {
        let text: String = SAMPLES
            .iter()
            .map(|(name, value)| format!("{name} = {value}\n"))
            .collect();
        let mut flags = vec!["hustings".to_owned()];
        for (name, value) in SAMPLES {
            let flag = format!("--{}", name.replace('_', "-"));
            match *value {
                "true" => flags.push(flag),
                list => {
                    for value in list.trim_matches(['[', ']']).split(", ") {
                        flags.extend([flag.clone(), value.trim_matches('"').to_owned()]);
                    }
                }
            }
        }
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        assert_eq!(
            format!("{:?}", from_file(&text, &[]).unwrap()),
            format!("{:?}", parse(&flags).unwrap())
        );
        let mut named: Vec<String> = SAMPLES
            .iter()
            .map(|(name, _)| name.replace('_', "-"))
            .collect();
        let mut there: Vec<String> = Hustings::command()
            .get_arguments()
            .filter(|argument| !is_command_line_only(argument))
            .filter_map(|argument| argument.get_long().map(str::to_owned))
            .collect();
        named.sort();
        there.sort();
        assert_eq!(named, there, "a flag without a sample");
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let serve = from_file(
            "listen = \"127.0.0.1:1\"\nstage = \"127.0.0.1:2\"\ndemo = false\n",
            &["--listen", "127.0.0.1:9", "--data", "serve"],
        )
        .unwrap();
        assert_eq!(
            (serve.listen.port(), serve.stage.port(), serve.demo),
            (9, 2, false)
        );
        assert_eq!(serve.data, Path::new("serve"));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let told = |text: &str| {
            let error = from_file(text, &[]).expect_err(text);
            format!("{error:#}")
        };
        let cases = [
            (
                "# a comment\ndemo = true\nlisten_on = \"x\"\n",
                "line 3, `listen_on`: there is no such setting",
            ),
            (
                "config = \"other.toml\"",
                "line 1, `config`: there is no such",
            ),
            (
                "\nlisten = \"nowhere\"",
                "line 2, `listen`: invalid value 'nowhere'",
            ),
            ("listen = [1]", "line 1, `listen`: it is one text or number"),
            ("demo = \"yes\"", "line 1, `demo`: it is true or false"),
            ("[stage]\nlisten = 1", "line 1, `stage`: it is one text"),
            (
                "keep_recordings = -1",
                "line 1, `keep_recordings`: invalid value '-1'",
            ),
            ("demo = true\ndemo = true\n", "is no TOML"),
            ("listen = ", "is no TOML"),
        ];
        for (text, expected) in cases {
            let told = told(text);
            assert!(told.contains(expected), "{text:?}: {told}");
        }
        assert!(told(&" ".repeat(70_000)).contains("is this the right file?"));
        let missing = parse(&["hustings", "--config=/nowhere/at/all.toml"]).expect_err("missing");
        assert!(
            format!("{missing:#}").contains("/nowhere/at/all.toml cannot be read"),
            "{missing:#}"
        );
    }
}
