//! Sign-ins on disk: one file for each, readable by nobody else (SEC-1).

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::jwt::Key;
use crate::{
    config::{Config, sign_in::Resource},
    error::{Error, Kind},
    json::text,
    kept,
};

/// How a client proves itself at the token endpoint (AU-24).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Proof {
    /// Not at all: it names itself.
    #[default]
    None,
    /// With its secret in a header.
    Basic,
    /// With its secret in the form.
    Post,
    /// With what its private key signs.
    PrivateKey,
}

/// A client that an authorization server knows.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: Option<SecretString>,
    /// Its private key, which is never stored.
    pub key: Option<Key>,
    /// How it proves itself.
    pub proof: Proof,
    /// The redirect URI that it was registered with; `None` for one that was not registered here.
    pub redirect_uri: Option<String>,
    /// When its secret expires, in seconds since 1970.
    pub expires_at: Option<u64>,
    /// The options name it, its secret included, which is then theirs to keep.
    pub is_named: bool,
}

/// What an authorization server gave.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// What is sent to the remote.
    pub access: SecretString,
    /// Who signed in, as the authorization server says.
    pub id: Option<SecretString>,
    /// What brings the next access token.
    pub refresh: Option<SecretString>,
    /// When they were given, in seconds since 1970.
    pub given_at: u64,
    /// When the access token expires.
    pub expires_at: Option<u64>,
    /// What it is good for.
    pub scope: Option<String>,
}

impl Tokens {
    /// None yet; what they are to be good for.
    pub fn to_come(scope: Option<String>) -> Self {
        let (access, given_at) = (SecretString::default(), 0);
        Tokens { access, id: None, refresh: None, given_at, expires_at: None, scope }
    }
}

/// One sign-in.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// The endpoint that the tokens are for.
    pub endpoint: String,
    /// Who gave them.
    pub issuer: String,
    /// Where the next ones are asked for.
    pub token_endpoint: String,
    /// What they are for, as it is said in each request (AU-32).
    pub resource: Option<String>,
    /// Whether the program signed in, and not a person.
    pub is_program: bool,
    /// When somebody signed in, in seconds since 1970; refreshing does not change it.
    pub signed_in_at: u64,
    /// In whose name.
    pub client: Client,
    /// The tokens.
    pub tokens: Tokens,
}

/// What helps where nothing can be written.
pub(super) const WRITABLE: &str =
    "set COMPOSIO_BRIDGE_STATE_DIR to a directory of yours that can be written";

/// Where one sign-in is kept.
#[derive(Debug, Clone)]
pub struct Place {
    file: PathBuf,
}

/// The right to change a sign-in, which one process has at a time (AU-51).
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// All sign-ins in a state directory.
pub fn all(state_dir: &Path) -> Vec<SignIn> {
    let entries = fs::read_dir(directory(state_dir)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".json")).collect();
    names.sort();
    let place = |name: String| Place { file: directory(state_dir).join(name) };
    names.into_iter().filter_map(|name| place(name).read()).collect()
}

fn directory(state_dir: &Path) -> PathBuf {
    state_dir.join("sign-ins")
}

impl Place {
    /// The place for what the configuration describes; `None` where there is no home. Whoever signs
    /// in to one endpoint for two resources, or as two programs, has two sign-ins.
    pub fn of(config: &Config) -> Option<Self> {
        let options = &config.sign_in;
        let mut name = config.endpoint.to_string();
        if let Resource::Named(resource) = &options.resource {
            name = format!("{name}\nresource {resource}");
        }
        for (key, value) in &options.authorize_params {
            name = format!("{name}\nparameter {key}={value}");
        }
        if options.way.is_program() {
            let client = options.client.as_ref().map_or("", |client| &client.id);
            name = format!("{name}\nprogram {client}{}", options.identity);
        }
        let file = format!("{}.json", kept::digest(&name));
        let file = directory(config.state_dir.as_ref()?).join(file);
        Some(Place { file })
    }

    /// What is kept there; `None` where nothing is, or nothing that can be read.
    pub fn read(&self) -> Option<SignIn> {
        let bytes = fs::read(&self.file).ok()?;
        let value: Value = serde_json::from_slice(&bytes).ok()?;
        #[cfg(feature = "keyring")]
        let value = super::keyring::add(&self.file, value);
        SignIn::from_json(&value)
    }

    /// Keeps a sign-in, at once and readable by nobody else.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, sign_in: &SignIn) -> Result<(), Error> {
        let value = sign_in.to_json();
        #[cfg(feature = "keyring")]
        let value = super::keyring::keep(&self.file, value);
        kept::write_for_good(&self.file, &value.to_string()).map_err(|cause| self.not_kept(&cause))
    }

    /// Forgets what is kept there; says whether there was anything.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove(&self) -> Result<bool, Error> {
        #[cfg(feature = "keyring")]
        if self.file.exists() {
            super::keyring::forget(&self.file);
        }
        kept::remove(&self.file).map_err(|cause| {
            Error::new(Kind::Unexpected, "could not forget the sign-in")
                .because(format!("{}: {cause}", self.file.display()))
        })
    }

    /// Waits until no other process changes the sign-in. Blocks.
    ///
    /// # Errors
    /// The lock's file cannot be made.
    pub fn lock(&self) -> Result<Lock, Error> {
        self.close_to_others();
        let file = kept::lock(&self.file.with_extension("lock"));
        file.map(|file| Lock { _file: file }).map_err(|cause| self.not_kept(&cause))
    }

    /// The file whose lock is the right to ask the person to sign in.
    ///
    /// # Errors
    /// Why it cannot be made, with its name.
    pub(super) fn turn_file(&self) -> Result<File, String> {
        self.close_to_others();
        let file = self.file.with_extension("turn");
        kept::open(&file).map_err(|cause| format!("{}: {cause}", file.display()))
    }

    /// Who could write into the directory could put a sign-in of his own there. Made by us it is
    /// closed; copied from elsewhere it may not be.
    fn close_to_others(&self) {
        #[cfg(unix)]
        if let Some(directory) = self.file.parent()
            && let Ok(found) = fs::symlink_metadata(directory)
            && found.is_dir()
            && std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o077 != 0
        {
            let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
            if let Err(cause) = fs::set_permissions(directory, closed) {
                tracing::warn!("{} is open to others: {cause}", directory.display());
            }
        }
    }

    fn not_kept(&self, cause: &io::Error) -> Error {
        let directory = self.file.parent().unwrap_or(&self.file).display();
        Error::new(Kind::Unexpected, "could not keep the sign-in")
            .because(format!("{directory}: {cause}"))
            .hint(WRITABLE)
    }
}

impl Proof {
    /// As the metadata of clients calls it.
    pub fn name(self) -> &'static str {
        match self {
            Proof::None => "none",
            Proof::Basic => "client_secret_basic",
            Proof::Post => "client_secret_post",
            Proof::PrivateKey => "private_key_jwt",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Proof::None, Proof::Basic, Proof::Post, Proof::PrivateKey];
        all.into_iter().find(|proof| proof.name() == name)
    }
}

impl SignIn {
    fn to_json(&self) -> Value {
        let secret = |secret: &Option<SecretString>| {
            secret.as_ref().map(|secret| secret.expose_secret().to_owned())
        };
        let (client, tokens) = (&self.client, &self.tokens);
        let value = json!({
            "endpoint": self.endpoint,
            "issuer": self.issuer,
            "token_endpoint": self.token_endpoint,
            "resource": self.resource,
            "is_program": self.is_program,
            "signed_in_at": self.signed_in_at,
            "client_id": client.id,
            "client_secret": secret(&client.secret).filter(|_| !client.is_named),
            "token_endpoint_auth_method": client.proof.name(),
            "redirect_uri": client.redirect_uri,
            "client_secret_expires_at": client.expires_at,
            "access_token": tokens.access.expose_secret(),
            "id_token": secret(&tokens.id),
            "refresh_token": secret(&tokens.refresh),
            "given_at": tokens.given_at,
            "expires_at": tokens.expires_at,
            "scope": tokens.scope,
        });
        let Value::Object(members) = value else { return value };
        Value::Object(members.into_iter().filter(|(_, v)| !v.is_null()).collect::<Map<_, _>>())
    }

    fn from_json(value: &Value) -> Option<Self> {
        let owned = |name| text(value, name).map(String::from);
        let secret = |name| text(value, name).map(SecretString::from);
        let number = |name| value.get(name).and_then(Value::as_u64);
        Some(SignIn {
            endpoint: owned("endpoint")?,
            issuer: owned("issuer")?,
            token_endpoint: owned("token_endpoint")?,
            resource: owned("resource"),
            is_program: value.get("is_program").and_then(Value::as_bool) == Some(true),
            signed_in_at: number("signed_in_at").unwrap_or_default(),
            client: Client {
                id: owned("client_id").unwrap_or_default(),
                secret: secret("client_secret"),
                key: None,
                proof: text(value, "token_endpoint_auth_method").and_then(Proof::named)?,
                redirect_uri: owned("redirect_uri"),
                expires_at: number("client_secret_expires_at"),
                is_named: false,
            },
            tokens: Tokens {
                access: secret("access_token")?,
                id: secret("id_token"),
                refresh: secret("refresh_token"),
                given_at: number("given_at").unwrap_or_default(),
                expires_at: number("expires_at"),
                scope: owned("scope"),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> SignIn {
        SignIn {
            endpoint: "https://h.example/mcp".into(),
            issuer: "https://as.example".into(),
            token_endpoint: "https://as.example/token".into(),
            resource: None,
            is_program: false,
            signed_in_at: 1,
            client: Client {
                id: "me".into(),
                secret: Some("SECRET-c".into()),
                proof: Proof::Basic,
                ..Client::default()
            },
            tokens: Tokens {
                access: "SECRET-a".into(),
                id: None,
                refresh: Some("SECRET-r".into()),
                given_at: 2,
                expires_at: Some(3),
                scope: Some("a b".into()),
            },
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_sign_in_comes_back_as_it_was_and_nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        #[cfg(feature = "keyring")]
        let _alone = super::super::keyring::ALONE.lock().expect("nobody failed");
        let home = tempfile::tempdir().expect("a directory");
        let place = Place { file: directory(home.path()).join("x.json") };
        assert!(place.read().is_none());
        let held = place.lock().expect("nobody has it");
        place.write(&sample()).expect("written");
        drop(held);
        let read = place.read().expect("it is there");
        assert_eq!(read.to_json(), sample().to_json());
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&place.file), 0o600);
        assert_eq!(mode(&place.file.with_extension("lock")), 0o600);
        assert_eq!(mode(&directory(home.path())), 0o700);
        assert_eq!(all(home.path()).len(), 1);
        assert_eq!((place.remove(), place.remove()), (Ok(true), Ok(false)));
    }

    /// The file is replaced, and what a link in its place leads to is left alone.
    #[cfg(unix)]
    #[test]
    fn an_open_directory_is_closed_and_a_link_is_not_followed() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        #[cfg(feature = "keyring")]
        let _alone = super::super::keyring::ALONE.lock().expect("nobody failed");
        let home = tempfile::tempdir().expect("a directory");
        let place = Place { file: directory(home.path()).join("x.json") };
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        fs::create_dir(directory(home.path())).expect("made");
        fs::set_permissions(directory(home.path()), PermissionsExt::from_mode(0o777))
            .expect("ours");
        let elsewhere = home.path().join("elsewhere");
        fs::write(&elsewhere, "{}").expect("written");
        symlink(&elsewhere, &place.file).expect("made");
        drop(place.lock().expect("nobody has it"));
        assert_eq!(mode(&directory(home.path())), 0o700);
        place.write(&sample()).expect("written");
        assert_eq!(fs::read_to_string(&elsewhere).ok().as_deref(), Some("{}"));
        assert_eq!(mode(&place.file), 0o600);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        #[cfg(feature = "keyring")]
        let _alone = super::super::keyring::ALONE.lock().expect("nobody failed");
        let home = tempfile::tempdir().expect("a directory");
        fs::write(directory(home.path()), "in the way").expect("written");
        let place = Place { file: directory(home.path()).join("x.json") };
        let told = [place.lock().map(drop), place.write(&sample())];
        for error in told.into_iter().filter_map(Result::err) {
            let report = error.report();
            assert!(report.contains("sign-ins") && report.contains("STATE_DIR"), "{report}");
        }
        assert!(place.read().is_none() && place.lock().is_err());
    }

    #[test]
    fn what_is_secret_is_not_shown() {
        assert!(!format!("{:?}", sample()).contains("SECRET"));
    }

    #[test]
    fn a_file_that_is_no_sign_in_counts_as_none() {
        for text in ["", "{}", "[]", r#"{"endpoint":"https://h.example/"}"#] {
            let value = serde_json::from_str(text).unwrap_or_default();
            assert!(SignIn::from_json(&value).is_none(), "{text}");
        }
    }
}
