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

/// Below what the paths of a table stand.
#[derive(Clone, Copy)]
enum Below {
    /// The home of the user.
    Home,
    /// The directory in which the programs of a desktop keep their configurations.
    Programs,
    /// The same on Windows, and `~/.config` elsewhere, on macOS too.
    Config,
    /// The working directory.
    Here,
}

/// The clients, and where each keeps its servers.
const CLIENTS: [(&str, Below, &str); 27] = [
    (CLAUDE, Below::Programs, "Claude/claude_desktop_config.json"),
    ("Claude Code", Below::Home, ".claude.json"),
    ("Claude Code", Below::Here, ".mcp.json"),
    ("Cursor", Below::Home, ".cursor/mcp.json"),
    ("Cursor", Below::Here, ".cursor/mcp.json"),
    ("VS Code", Below::Programs, "Code/User/mcp.json"),
    ("VS Code", Below::Here, ".vscode/mcp.json"),
    (
        "Cline",
        Below::Programs,
        "Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
    ),
    (
        "Roo Code",
        Below::Programs,
        "Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json",
    ),
    ("Roo Code", Below::Here, ".roo/mcp.json"),
    ("Windsurf", Below::Home, ".codeium/windsurf/mcp_config.json"),
    ("LM Studio", Below::Home, ".lmstudio/mcp.json"),
    ("Zed", Below::Config, "zed/settings.json"),
    ("Zed", Below::Here, ".zed/settings.json"),
    ("Codex", Below::Home, ".codex/config.toml"),
    ("Codex", Below::Here, ".codex/config.toml"),
    ("Gemini CLI", Below::Home, ".gemini/settings.json"),
    ("Gemini CLI", Below::Here, ".gemini/settings.json"),
    ("Amazon Q", Below::Home, ".aws/amazonq/mcp.json"),
    ("Kiro", Below::Home, ".kiro/settings/mcp.json"),
    ("Kiro", Below::Here, ".kiro/settings/mcp.json"),
    ("Copilot CLI", Below::Home, ".copilot/mcp-config.json"),
    ("opencode", Below::Home, ".config/opencode/opencode.json"),
    ("opencode", Below::Here, "opencode.json"),
    ("BoltAI", Below::Home, ".boltai/mcp.json"),
    ("Goose", Below::Home, ".config/goose/config.yaml"),
    ("LibreChat", Below::Home, "LibreChat/librechat.yaml"),
];

const CLAUDE: &str = "Claude Desktop";

/// The configurations of the clients that are there, and those that were named.
fn places(environment: &Environment, named: &[&str]) -> Vec<(&'static str, PathBuf)> {
    let home = |path: &str| environment.expand_home(Path::new(path));
    let variable =
        |name| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = if cfg!(windows) {
        variable("APPDATA").unwrap_or_else(|| home("~/AppData/Roaming"))
    } else {
        variable("XDG_CONFIG_HOME").unwrap_or_else(|| home("~/.config"))
    };
    let programs = match cfg!(target_os = "macos") {
        true => home("~/Library/Application Support"),
        false => config.clone(),
    };
    let here = env::current_dir().unwrap_or_default();
    let base = |below| match below {
        Below::Home => home("~"),
        Below::Programs => programs.clone(),
        Below::Config => config.clone(),
        Below::Here => here.clone(),
    };
    let clients = CLIENTS.iter();
    let mut all: Vec<_> =
        clients.map(|(client, below, path)| (*client, base(*below).join(path))).collect();
    // From Microsoft's store it has a directory of its own.
    let packages = variable("LOCALAPPDATA").map(|path| path.join("Packages"));
    let packages = packages.and_then(|path| fs::read_dir(path).ok()).into_iter().flatten();
    let claude = packages.flatten().filter(|entry| {
        cfg!(windows) && entry.file_name().to_string_lossy().starts_with("Claude_")
    });
    let below = "LocalCache/Roaming/Claude/claude_desktop_config.json";
    all.extend(claude.map(|entry| (CLAUDE, entry.path().join(below))));
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
                _ => (
                    Swapped::default(),
                    Some("it cannot be made out, and was left alone".to_owned()),
                ),
            },
        };
        // One that nobody named may be broken, as long as it has nothing to do with the server.
        let is_named = client == NAMED;
        let is_about_it = holds(&bytes, swap.server);
        let Swapped { text, count, left } = swapped;
        if count + left > 0 || is_about_it || (fault.is_some() && is_named) {
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
    /// Whether it names the server in a manner that is not understood, such as without quotes.
    pub(super) fn is_by_hand(&self) -> bool {
        self.count + self.left == 0 && self.fault.is_none()
    }

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
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(self.text.as_bytes())?;
        let permissions = fs::metadata(&self.path)?.permissions();
        if permissions.readonly() {
            return Err(io::Error::other("it is read-only"));
        }
        file.as_file().set_permissions(permissions)?;
        file.as_file().sync_all()?;
        if fs::read(&self.path)? != self.bytes {
            return Err(io::Error::other("another program has just changed it"));
        }
        let backup = self.back_up()?;
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
