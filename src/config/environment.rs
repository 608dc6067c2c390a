//! The environment variables, read once, so that tests need no real ones.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::cli::argv::is_unfilled;

/// A snapshot of the environment.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: Vec<(OsString, OsString)>,
    home: Option<PathBuf>,
}

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        Environment { variables: std::env::vars_os().collect(), home: std::env::home_dir() }
    }

    /// An environment of these variables alone; the home directory is what `HOME` says.
    pub fn of<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let variables: Vec<(OsString, OsString)> =
            variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let home = variables.iter().find(|(name, _)| name == "HOME");
        Environment { home: home.map(|(_, value)| value.into()), variables }
    }

    /// The variable's text as it stands, if it is Unicode.
    pub fn raw(&self, name: &str) -> Option<&str> {
        let same = |other: &OsString| {
            if cfg!(windows) { other.eq_ignore_ascii_case(name) } else { other == name }
        };
        self.variables.iter().find(|(other, _)| same(other))?.1.to_str()
    }

    /// The variable's text, where empty and never filled in count as unset.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.raw(name).filter(|value| !value.is_empty() && !is_unfilled(value))
    }

    /// The variables whose names begin with `prefix`: what follows it, and the value, with
    /// [`Environment::get`]'s idea of being set.
    pub fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().filter_map(move |(name, value)| {
            let rest = name.to_str()?.strip_prefix(prefix)?;
            let value = value.to_str()?;
            (!value.is_empty() && !is_unfilled(value)).then_some((rest, value))
        })
    }

    /// The path with a leading `~/` replaced: clients start us without a shell.
    pub fn expand_home(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), &self.home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => path.to_path_buf(),
        }
    }

    /// The usual configuration file; `None` where there is no home.
    pub fn config_file(&self) -> Option<PathBuf> {
        let base = if cfg!(windows) {
            self.directory("APPDATA", "AppData/Roaming")
        } else {
            self.directory("XDG_CONFIG_HOME", ".config")
        };
        Some(base?.join("composio-bridge").join("config.toml"))
    }

    /// The directory for what is remembered between runs; `None` where there is no home.
    pub fn state_dir(&self) -> Option<PathBuf> {
        if let Some(path) = self.get("COMPOSIO_BRIDGE_STATE_DIR") {
            return Some(self.expand_home(Path::new(path)));
        }
        let base = if cfg!(windows) {
            self.directory("LOCALAPPDATA", "AppData/Local")
        } else {
            self.directory("XDG_STATE_HOME", ".local/state")
        };
        Some(base?.join("composio-bridge"))
    }

    /// What the variable names, if that is absolute, or else the directory below home.
    fn directory(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let named = self.get(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        named.or_else(|| Some(self.home.as_ref()?.join(below_home)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_and_unfilled_variables_count_as_unset() {
        let env = Environment::of([("A", ""), ("B", "${user_config.b}"), ("C", "c")]);
        assert_eq!(
            (env.get("A"), env.get("B"), env.get("C"), env.get("D")),
            (None, None, Some("c"), None)
        );
        assert_eq!(env.with_prefix("").collect::<Vec<_>>(), [("C", "c")]);
    }

    #[cfg(unix)]
    #[test]
    fn directories_follow_the_xdg_rules() {
        let config = |vars: &[(&str, &str)]| Environment::of(vars.iter().copied()).config_file();
        let state = |vars: &[(&str, &str)]| Environment::of(vars.iter().copied()).state_dir();
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(config(&[("HOME", "/h")]), path("/h/.config/composio-bridge/config.toml"));
        assert_eq!(
            config(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")]),
            path("/x/composio-bridge/config.toml")
        );
        assert_eq!(
            config(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "x")]),
            path("/h/.config/composio-bridge/config.toml")
        );
        assert_eq!(config(&[]), None);
        assert_eq!(state(&[("HOME", "/h")]), path("/h/.local/state/composio-bridge"));
        assert_eq!(state(&[("XDG_STATE_HOME", "/s")]), path("/s/composio-bridge"));
        assert_eq!(
            state(&[("HOME", "/h"), ("COMPOSIO_BRIDGE_STATE_DIR", "~/mine")]),
            path("/h/mine")
        );
    }
}
