//! The configurations of the clients: where they are, and swapping a URL in them without damage.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{
    composio::server::swap::{Swap, Swapped},
    config::environment::Environment,
};

/// Whose a configuration is that was named on the command line.
const NAMED: &str = "--file";

/// A configuration that names the server.
pub(super) struct Found {
    /// Whose it is.
    pub(super) client: &'static str,
    /// Where it is.
    pub(super) path: PathBuf,
    /// How many URLs in it are to be swapped.
    pub(super) count: usize,
    /// How many are for other users or accounts.
    pub(super) left: usize,
    /// Where it was copied to before it was changed.
    pub(super) backup: Option<PathBuf>,
    /// Why it was left alone.
    pub(super) fault: Option<String>,
    /// What it holds after the swap.
    text: String,
    /// What it holds before.
    bytes: Vec<u8>,
}

/// The configurations of the clients that are there, and those that were named.
fn places(environment: &Environment, named: &[&str]) -> Vec<(&'static str, PathBuf)> {
    const CLAUDE: &str = "Claude Desktop";
    let home = |path: &str| environment.expand_home(Path::new(path));
    // The directory in which the programs of a desktop keep their configurations.
    let variable =
        |name| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = if cfg!(windows) {
        variable("APPDATA").unwrap_or_else(|| home("~/AppData/Roaming"))
    } else if cfg!(target_os = "macos") {
        home("~/Library/Application Support")
    } else {
        variable("XDG_CONFIG_HOME").unwrap_or_else(|| home("~/.config"))
    };
    let mut all = vec![
        (CLAUDE, base.join("Claude/claude_desktop_config.json")),
        ("Claude Code", home("~/.claude.json")),
        ("Cursor", home("~/.cursor/mcp.json")),
        ("VS Code", base.join("Code/User/mcp.json")),
        ("Windsurf", home("~/.codeium/windsurf/mcp_config.json")),
        ("LM Studio", home("~/.lmstudio/mcp.json")),
    ];
    // From Microsoft's store it has a directory of its own.
    let packages = variable("LOCALAPPDATA").map(|path| path.join("Packages"));
    let packages = packages.and_then(|path| fs::read_dir(path).ok()).into_iter().flatten();
    let claude = packages.flatten().filter(|entry| {
        cfg!(windows) && entry.file_name().to_string_lossy().starts_with("Claude_")
    });
    let below = "LocalCache/Roaming/Claude/claude_desktop_config.json";
    all.extend(claude.map(|entry| (CLAUDE, entry.path().join(below))));
    if let Ok(here) = env::current_dir() {
        for (client, path) in [
            ("Claude Code", ".mcp.json"),
            ("Cursor", ".cursor/mcp.json"),
            ("VS Code", ".vscode/mcp.json"),
        ] {
            all.push((client, here.join(path)));
        }
    }
    all.retain(|(_, path)| path.is_absolute() && path.is_file());
    all.extend(named.iter().map(|path| (NAMED, home(path))));
    all
}

/// The configurations that name the server.
pub(super) fn find(environment: &Environment, named: &[&str], swap: &Swap) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for (client, path) in places(environment, named) {
        // A link is followed, so that the file is changed and the link stays.
        let path = fs::canonicalize(&path).unwrap_or(path);
        if found.iter().any(|known| known.path == path) {
            continue;
        }
        let bytes = fs::read(&path);
        let (swapped, fault) = match &bytes {
            Err(cause) => (Swapped::default(), Some(format!("it cannot be read: {cause}"))),
            Ok(bytes) => match std::str::from_utf8(bytes).map(|text| swap.in_document(text)) {
                Ok(Ok(swapped)) => (swapped, None),
                _ => (Swapped::default(), Some("it is not JSON, and was left alone".to_owned())),
            },
        };
        // One that nobody named may be broken, as long as it has nothing to do with the server.
        let is_meant = client == NAMED || holds(&bytes, swap.server);
        let Swapped { text, count, left } = swapped;
        if count + left > 0 || (fault.is_some() && is_meant) {
            let bytes = bytes.unwrap_or_default();
            found.push(Found { client, path, count, left, backup: None, fault, text, bytes });
        }
    }
    found
}

fn holds(bytes: &io::Result<Vec<u8>>, text: &str) -> bool {
    let found = |bytes: &Vec<u8>| memchr::memmem::find(bytes, text.as_bytes()).is_some();
    bytes.as_ref().is_ok_and(found)
}

impl Found {
    /// Writes the configuration after the swap, with the mode that it has; the backup beside it.
    pub(super) fn apply(&mut self) {
        if self.count == 0 {
            return;
        }
        match self.write() {
            Ok(backup) => self.backup = Some(backup),
            Err(cause) => self.fault = Some(format!("it was left alone: {cause}")),
        }
    }

    fn write(&self) -> io::Result<PathBuf> {
        let backup = self.back_up()?;
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(self.text.as_bytes())?;
        file.as_file().set_permissions(fs::metadata(&self.path)?.permissions())?;
        file.as_file().sync_all()?;
        if fs::read(&self.path)? != self.bytes {
            let _ = fs::remove_file(&backup);
            return Err(io::Error::other("another program has just changed it"));
        }
        file.persist(&self.path)?;
        Ok(backup)
    }

    /// Copies the configuration to a name that is free; a backup that is there is older, and stays.
    fn back_up(&self) -> io::Result<PathBuf> {
        let mut name = self.path.clone().into_os_string();
        name.push(".bak");
        for number in 1.. {
            let mut candidate = name.clone();
            if number > 1 {
                candidate.push(format!("{number}"));
            }
            let candidate = PathBuf::from(candidate);
            if fs::symlink_metadata(&candidate).is_err() {
                // The copy has the mode of the original.
                fs::copy(&self.path, &candidate)?;
                return Ok(candidate);
            }
        }
        Err(io::Error::other("there is no name left for a backup"))
    }
}
