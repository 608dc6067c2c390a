//! The memory on disk: a directory for each endpoint and credential, readable by nobody else.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    memory::{Memory, Remembered},
    state::{Known, Transport},
};
use crate::kept::{digest, write};

/// How many endpoints are remembered.
const MOST_ENDPOINTS: usize = 64;

/// How the transports are called in their file.
const NAMES: [(Transport, &str); 3] = [
    (Transport::StreamableHttp, "streamable-http"),
    (Transport::HttpSse, "http+sse"),
    (Transport::Modern, "2026-07-28"),
];

/// Where things are remembered. Without a directory nothing is, which is no error.
#[derive(Debug, Clone)]
pub struct Store {
    root: Option<PathBuf>,
    endpoint: String,
    /// The endpoint, and all that is known beforehand of who asks it.
    context: String,
}

impl Store {
    /// The store for one endpoint under the state directory. `context` tells the credentials
    /// apart that are known before the first is asked for; it is kept as a digest alone.
    pub fn new(root: Option<&Path>, endpoint: &str, context: &str) -> Self {
        let root = root.map(Path::to_path_buf);
        Store { root, endpoint: endpoint.to_owned(), context: format!("{endpoint}\n{context}") }
    }

    /// The transport that worked the last time.
    pub fn transport(&self) -> Option<Known> {
        let text = fs::read_to_string(self.transport_file()?).ok()?;
        let (name, at) = text.trim().split_once(' ')?;
        let (transport, _) = NAMES.into_iter().find(|(_, known)| *known == name)?;
        Some(Known { transport, at: at.parse().ok()? })
    }

    /// Keeps which transport worked.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep_transport(&self, known: Known) -> io::Result<()> {
        let name = NAMES.into_iter().find(|(transport, _)| *transport == known.transport);
        let text = format!("{} {}\n", name.map_or("", |(_, name)| name), known.at);
        self.transport_file().map_or(Ok(()), |file| write(&file, &text))
    }

    /// What was remembered for this endpoint and credential.
    pub fn recall(&self, credential: &str) -> Memory {
        let mut memory = Memory::default();
        for what in Remembered::ALL {
            let file = self.memory_file(credential, what);
            if let Some(Ok(text)) = file.map(fs::read_to_string) {
                memory.restore(what, text);
            }
        }
        memory
    }

    /// Keeps an answer; does nothing where it is what is there already.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn remember(&self, credential: &str, what: Remembered, text: &str) -> io::Result<()> {
        let Some(file) = self.memory_file(credential, what) else { return Ok(()) };
        if fs::read_to_string(&file).is_ok_and(|known| known == text) {
            return Ok(());
        }
        write(&file, text)?;
        self.prune()
    }

    /// Forgets the endpoints that were heard of longest ago: sessions come and go.
    fn prune(&self) -> io::Result<()> {
        let Some(root) = &self.root else { return Ok(()) };
        let mut known: Vec<_> = fs::read_dir(root.join("answers"))?
            .flatten()
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        known.sort();
        let surplus = known.len().saturating_sub(MOST_ENDPOINTS);
        known.iter().take(surplus).try_for_each(|(_, directory)| fs::remove_dir_all(directory))
    }

    fn transport_file(&self) -> Option<PathBuf> {
        Some(self.root.as_ref()?.join("transports").join(digest(&self.context)))
    }

    fn memory_file(&self, credential: &str, what: Remembered) -> Option<PathBuf> {
        let name = digest(&format!("{}\n{credential}", self.endpoint));
        Some(self.root.as_ref()?.join("answers").join(name).join(format!("{}.json", what.name())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESULT: &str = r#"{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{}}"#;

    #[test]
    fn remembers_for_one_endpoint_and_credential() {
        let home = tempfile::tempdir().expect("a directory");
        let store = Store::new(Some(home.path()), "https://h.example/mcp", "a");
        store.remember("x-api-key:a", Remembered::Initialize, RESULT).expect("written");
        assert_eq!(store.recall("x-api-key:a").initialize.as_deref(), Some(RESULT));
        assert_eq!(store.recall("x-api-key:b").initialize, None);
        assert_eq!(store.transport(), None);
        for (transport, _) in NAMES {
            let known = Known { transport, at: 1_763_700_000_000 };
            store.keep_transport(known).expect("written");
            assert_eq!(store.transport(), Some(known));
        }
        let other = Store::new(Some(home.path()), "https://h.example/mcp", "b");
        assert_eq!(other.transport(), None);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().expect("a directory");
        let store = Store::new(Some(&home.path().join("deep")), "https://h.example/mcp", "");
        store.remember("", Remembered::Initialize, "{}").expect("written");
        let file = store.memory_file("", Remembered::Initialize).expect("a path");
        let mode =
            |path: &Path| fs::metadata(path).expect("it exists").permissions().mode() & 0o777;
        assert_eq!(mode(&file), 0o600);
        assert_eq!(mode(file.parent().expect("a directory")), 0o700);
    }

    #[test]
    fn only_so_many_endpoints_are_remembered() {
        let home = tempfile::tempdir().expect("a directory");
        for number in 0..MOST_ENDPOINTS + 3 {
            let store = Store::new(Some(home.path()), &format!("https://h.example/{number}"), "");
            store.remember("", Remembered::Initialize, "{}").expect("written");
        }
        let left = fs::read_dir(home.path().join("answers")).expect("it exists").count();
        assert_eq!(left, MOST_ENDPOINTS);
    }

    #[test]
    fn without_a_home_nothing_is_kept_and_nothing_fails() {
        let store = Store::new(None, "https://h.example/mcp", "");
        store.remember("", Remembered::Initialize, "{}").expect("no error");
        assert!(store.recall("").initialize.is_none());
    }
}
