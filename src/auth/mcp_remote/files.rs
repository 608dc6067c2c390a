//! mcp-remote's files: where they are, and how they are read and replaced.

use std::{
    ffi::OsStr,
    fs, io,
    io::{Read, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use secrecy::{ExposeSecret, SecretString};

use super::{
    SignIn,
    hash::{Flags, Recipe, header_file},
    json::{self, Refreshed},
};
use crate::{cli::HeaderSource, config::environment::Environment};

/// The directory of 0.15.1; its number is the layout's.
const CURRENT: &str = "mcp-remote-v1";

/// No file of mcp-remote's is a hundredth of this.
const MOST_BYTES: u64 = 1 << 20;

/// Where one sign-in is: a directory, and the digest that the files' names begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The directory.
    pub directory: PathBuf,
    /// The digest.
    pub hash: String,
}

impl Place {
    /// The file with the tokens.
    pub fn tokens_file(&self) -> PathBuf {
        self.file("tokens.json")
    }

    /// The file with the client.
    pub fn client_file(&self) -> PathBuf {
        self.file("client_info.json")
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.join([&self.hash, "_", name].concat())
    }

    /// Reads the sign-in; `None` where there is none, or none that can be used. Whoever has
    /// waited for a [`super::Lease`] reads again: another may have refreshed it.
    pub fn read(&self) -> Option<SignIn> {
        let file = self.tokens_file();
        let text = read(&file)?;
        let tokens = json::tokens(text.expose_secret(), modified(&file));
        if tokens.is_none() {
            tracing::debug!("{} holds no sign-in", file.display());
        }
        Some(SignIn { tokens: tokens?, client: self.client(), place: self.clone() })
    }

    fn client(&self) -> Option<super::Client> {
        let file = self.client_file();
        let client = json::client(read(&file)?.expose_secret());
        if client.is_none() {
            tracing::debug!("{} names no client", file.display());
        }
        client
    }

    /// Stores what a refresh with the token `used` brought at `now` (milliseconds since 1970),
    /// such that mcp-remote goes on working with it. To be called with the [`super::Lease`] held.
    ///
    /// Does nothing, and says `false`, where somebody signed in anew or out meanwhile.
    ///
    /// # Errors
    /// The file cannot be read or replaced.
    pub fn write_back(
        &self,
        used: &SecretString,
        answer: &Refreshed,
        now: u64,
    ) -> io::Result<bool> {
        let file = self.tokens_file();
        let text = match read_limited(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            text => text?,
        };
        let Some(merged) = json::merged(text.expose_secret(), used, answer, now) else {
            return Ok(false);
        };
        // A temporary file is created with mode 0600.
        let mut temporary = tempfile::NamedTempFile::new_in(&self.directory)?;
        temporary.write_all(merged.expose_secret().as_bytes())?;
        temporary.as_file().sync_all()?;
        temporary.persist(&file)?;
        Ok(true)
    }
}

/// The directory of all that mcp-remote keeps; `None` where there is no home.
pub fn root(env: &Environment) -> Option<PathBuf> {
    let named = env.get("MCP_REMOTE_CONFIG_DIR").map(PathBuf::from);
    let usual = || {
        let path = env.expand_home(Path::new("~/.mcp-auth"));
        (!path.starts_with("~")).then_some(path)
    };
    named.or_else(usual)
}

/// The first sign-in that is found for this command line of mcp-remote's.
pub fn find(root: &Path, flags: &Flags<'_>) -> Option<SignIn> {
    let entries = fs::read_dir(root).ok()?;
    let names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    places(root, names.iter().filter_map(|name| OsStr::to_str(name)), flags)
        .into_iter()
        .find_map(|place| place.read())
}

/// All sign-ins there are, whatever command line they belong to.
pub fn all(root: &Path) -> Vec<SignIn> {
    let names = |directory: &Path| -> Vec<String> {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    };
    let directories = names(root).into_iter().filter(|name| Version::of(name).is_some());
    let mut found = Vec::new();
    for directory in directories.map(|name| root.join(name)) {
        for name in names(&directory) {
            let Some(hash) = name.strip_suffix("_tokens.json") else { continue };
            let place = Place { directory: directory.clone(), hash: hash.to_owned() };
            found.extend(place.read());
        }
    }
    found
}

/// Where the sign-in may be, the likeliest place first; `names` are the directories there are.
pub fn places<'a>(
    root: &Path,
    names: impl IntoIterator<Item = &'a str>,
    flags: &Flags<'_>,
) -> Vec<Place> {
    // Sorted by hand: there are a few at most, and a sort is ten kilobytes of code.
    let mut known: Vec<(Version, &str)> = Vec::new();
    for entry in names.into_iter().filter_map(|name| Some((Version::of(name)?, name))) {
        let at = known.iter().position(|other| *other < entry);
        known.insert(at.unwrap_or(known.len()), entry);
    }
    let place = |(version, name): (Version, &str)| Place {
        directory: root.join(name),
        hash: flags.hash(version.recipe()),
    };
    known.into_iter().map(place).collect()
}

/// Which mcp-remote a directory belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    /// One that had a directory to itself: its number, and whether that is a release.
    Older([u64; 3], bool),
    /// 0.15.1, and whoever shares its layout.
    Current,
}

impl Version {
    fn of(directory: &str) -> Option<Self> {
        if directory == CURRENT {
            return Some(Version::Current);
        }
        let version = directory.strip_prefix("mcp-remote-")?;
        let (numbers, suffix) = version.split_once(['-', '+']).unwrap_or((version, ""));
        let numbers: Option<Vec<u64>> =
            numbers.split('.').map(|number| number.parse().ok()).collect();
        Some(Version::Older(numbers?.try_into().ok()?, suffix.is_empty()))
    }

    fn recipe(self) -> Recipe {
        match self {
            Version::Current => Recipe::Current,
            Version::Older(number, _) if number >= [0, 1, 30] => Recipe::UrlResourceHeaders,
            Version::Older(..) => Recipe::Url,
        }
    }
}

/// The header lines of these sources, for [`Flags::headers`]; a file that cannot be read has none.
pub fn header_lines(sources: &[HeaderSource]) -> Vec<String> {
    let mut lines = Vec::new();
    for source in sources {
        match source {
            HeaderSource::Line(line) => lines.push(line.clone()),
            HeaderSource::File(path) => {
                let text = fs::read_to_string(path).unwrap_or_default();
                lines.extend(header_file(&text).map(str::to_owned));
            }
        }
    }
    lines
}

/// The file's text; `None`, and a line in the log, where it cannot be read.
pub(super) fn read(file: &Path) -> Option<SecretString> {
    let text = read_limited(file);
    if let Err(error) = &text
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::debug!("could not read {}: {error}", file.display());
    }
    text.ok()
}

fn read_limited(file: &Path) -> io::Result<SecretString> {
    let mut text = String::new();
    fs::File::open(file)?.take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(SecretString::from(text))
}

/// When the file was written, in milliseconds since 1970.
pub(super) fn modified(file: &Path) -> Option<u64> {
    let time = fs::metadata(file).ok()?.modified().ok()?;
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}
