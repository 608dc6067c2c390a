//! The configuration file.

use std::{
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::{
    environment::Environment,
    layer::{Builder, Wrong, map_paths},
};
use crate::{
    cli::{Settings, value::CommandLine},
    error::{Error, Kind},
};

/// What the file says: the chosen profile, then what stands outside of profiles.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) profile: Settings,
    pub(super) top: Settings,
    /// Where it was read; `None` if there is none.
    pub(super) path: Option<PathBuf>,
}

/// Reads the file that was named, or else the usual one, which may be missing.
///
/// # Errors
/// The file that was named is missing; the file cannot be read or holds a mistake; there is no
/// such profile. Values are never part of the message.
pub(super) fn load(
    named: Option<&Path>,
    profile: Option<&str>,
    env: &Environment,
) -> Result<File, Error> {
    let usual = || env.config_file();
    let Some(path) = named.map(|path| env.expand_home(path)).or_else(usual) else {
        return absent(profile, "there is no home directory to look for it in");
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(cause) if named.is_none() && is_absence(cause.kind()) => {
            return absent(profile, &format!("{} does not exist", path.display()));
        }
        Err(cause) => {
            let attempted = format!("could not read the configuration file {}", path.display());
            return Err(Error::new(Kind::Config, attempted).because(cause.to_string()));
        }
    };
    let mut file = Reader { path: &path, text: &text }.read(profile)?;
    let directory = path.parent().unwrap_or(Path::new(""));
    for settings in [&mut file.profile, &mut file.top] {
        map_paths(settings, |path| *path = directory.join(env.expand_home(path)));
    }
    file.path = Some(path);
    Ok(file)
}

/// A home that is no directory holds no file either.
fn is_absence(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn absent(profile: Option<&str>, why: &str) -> Result<File, Error> {
    match profile {
        None => Ok(File::default()),
        Some(name) => Err(Error::new(Kind::Config, format!("there is no profile {name}"))
            .because(format!("profiles are kept in the configuration file, and {why}"))),
    }
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Reader<'_> {
    fn read(&self, profile: Option<&str>) -> Result<File, Error> {
        let table = DeTable::parse(self.text).map_err(|error| {
            self.wrong(error.span().unwrap_or(0..0), error.message().to_owned())
        })?;
        let mut top = Builder::new();
        let mut profiles = None;
        for (key, value) in table.get_ref() {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("profiles", DeValue::Table(table)) => profiles = Some(table),
                ("profiles", _) => {
                    return Err(self.wrong(key.span(), "`profiles` must hold tables"));
                }
                _ => self.entry(&mut top, key, value)?,
            }
        }
        Ok(File { profile: self.profile(profiles, profile)?, top: top.finish(), path: None })
    }

    /// Reads every profile, so that a mistake shows before it is needed, and returns the chosen.
    fn profile(&self, all: Option<&DeTable<'_>>, name: Option<&str>) -> Result<Settings, Error> {
        let mut chosen = None;
        for (key, value) in all.into_iter().flatten() {
            let DeValue::Table(table) = value.get_ref() else {
                return Err(self.wrong(key.span(), format!("`{}` must be a table", key.get_ref())));
            };
            let mut builder = Builder::new();
            for (key, value) in table {
                self.entry(&mut builder, key, value)?;
            }
            if Some(key.get_ref().as_ref()) == name {
                chosen = Some(builder.finish());
            }
        }
        match (chosen, name) {
            (None, Some(name)) => {
                let known: Vec<_> =
                    all.into_iter().flatten().map(|(key, _)| key.get_ref()).collect();
                let known = match known.as_slice() {
                    [] => "it has no profiles".to_owned(),
                    names => format!("it has {}", join(names)),
                };
                Err(Error::new(Kind::Config, format!("there is no profile {name}"))
                    .because(format!("looked in {}: {known}", self.path.display())))
            }
            (chosen, _) => Ok(chosen.unwrap_or_default()),
        }
    }

    fn entry(
        &self,
        builder: &mut Builder,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), Error> {
        let name = key.get_ref().as_ref();
        let wrong = |why: String| self.wrong(key.span(), format!("`{name}` {why}"));
        let outcome = match (name, value.get_ref()) {
            ("headers", DeValue::Table(table)) => {
                let lines: Option<Vec<_>> = table.iter().map(header_line).collect();
                let lines = lines.ok_or_else(|| wrong("must hold text".into()))?;
                builder.set("header", &lines)
            }
            ("headers", _) => return Err(wrong("must be a table".into())),
            ("header", _) => Err(Wrong::Key(Some("headers".into()))),
            ("api-key-command", DeValue::Array(words)) => {
                let words: Option<Vec<_>> = words.iter().map(|w| scalar(w.get_ref())).collect();
                let words = words.filter(|words| !words.is_empty());
                builder.settings_mut().api_key_command =
                    Some(CommandLine(words.ok_or_else(|| wrong("must name a program".into()))?));
                Ok(())
            }
            (_, value) => {
                let values = scalars(value).unwrap_or_default();
                let takes = !values.is_empty() || matches!(value, DeValue::Array(_));
                match builder.set(name, &values) {
                    // A key that is not known stays unknown whatever its value is.
                    Ok(()) if takes => Ok(()),
                    Ok(()) => return Err(self.not_simple(builder, key)),
                    Err(wrong) => Err(wrong),
                }
            }
        };
        outcome.map_err(|what| match what {
            Wrong::Value(why) => wrong(why),
            Wrong::Key(None) => self.wrong(key.span(), format!("unknown key `{name}`")),
            Wrong::Key(Some(near)) => {
                self.wrong(key.span(), format!("unknown key `{name}`; did you mean `{near}`?"))
            }
        })
    }

    fn not_simple(&self, builder: &mut Builder, key: &Spanned<DeString<'_>>) -> Error {
        let name = key.get_ref();
        let known = builder.set(name, &["1".to_owned()]);
        self.wrong(
            key.span(),
            match known {
                Err(Wrong::Key(_)) => format!("unknown key `{name}`"),
                _ => format!("`{name}` must be text, a number, true or false, or a list of text"),
            },
        )
    }

    fn wrong(&self, span: Range<usize>, what: impl Into<String>) -> Error {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Error::new(Kind::Config, "the configuration file holds a mistake").because(format!(
            "{}, line {line}: {}",
            self.path.display(),
            what.into()
        ))
    }
}

fn join(names: &[&DeString<'_>]) -> String {
    names.iter().map(|name| name.as_ref()).collect::<Vec<_>>().join(", ")
}

fn header_line((name, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)) -> Option<String> {
    Some(format!("{}: {}", name.get_ref(), scalar(value.get_ref())?))
}

fn scalars(value: &DeValue<'_>) -> Option<Vec<String>> {
    match value {
        DeValue::Array(items) => items.iter().map(|item| scalar(item.get_ref())).collect(),
        single => Some(vec![scalar(single)?]),
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}
