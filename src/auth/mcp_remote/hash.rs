//! The name under which mcp-remote keeps a sign-in: a digest of its command line.

use md5::{Digest, Md5};
use reqwest::Url;

use crate::message::object::quote;

/// What the digest is made of: the flags' texts, as they stand on the command line.
#[derive(Debug, Clone, Default)]
pub struct Flags<'a> {
    /// The URL, not normalised.
    pub server_url: &'a str,
    /// `--resource`; `None` with `--disable-resource-parameter`.
    pub resource: Option<&'a str>,
    /// Each `--authorize-param`: `key=value`.
    pub authorize_params: &'a [String],
    /// Each `--header`, and each line of each `--header-file`, in the order of the command line:
    /// `Name: value`, with every `${VAR}` as it stands. [`super::header_lines`] collects them.
    pub headers: &'a [String],
    /// `--client-metadata-url`.
    pub client_metadata_url: Option<&'a str>,
    /// `--token-endpoint`, which mcp-remote takes with `--client-credentials` alone.
    pub token_endpoint: Option<&'a str>,
}

/// Which flags are part of the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipe {
    /// All of them: 0.15.1.
    Current,
    /// The URL, `--resource` and the headers: 0.1.30 to 0.3.1.
    UrlResourceHeaders,
    /// The URL: 0.1.29 and older.
    Url,
}

impl Flags<'_> {
    /// The digest, as mcp-remote writes it in its files' names.
    pub fn hash(&self, recipe: Recipe) -> String {
        let digest = Md5::digest(self.parts(recipe).join("|").as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The port at which mcp-remote 0.15.1 listens for the browser where none is named: the only one
    /// it tries for a client that was not registered on the spot.
    pub fn port(&self) -> u16 {
        let digest = Md5::digest(self.parts(Recipe::Current).join("|").as_bytes());
        3335 + u16::from_be_bytes([digest[0], digest[1]]) % 45816
    }

    fn parts(&self, recipe: Recipe) -> Vec<String> {
        let all = recipe == Recipe::Current;
        let mut parts = vec![self.server_url.to_owned()];
        if recipe != Recipe::Url {
            parts
                .extend(self.resource.map(trim).filter(|text| !text.is_empty()).map(str::to_owned));
        }
        if all {
            let params = self.authorize_params.iter().filter_map(|text| authorize_param(text));
            parts.extend(record(params));
        }
        if recipe != Recipe::Url {
            parts.extend(record(self.headers.iter().filter_map(|line| header(line))));
        }
        if all {
            parts.extend(self.client_metadata_url.and_then(client_metadata_url));
            parts.extend(self.token_endpoint.and_then(token_endpoint));
        }
        parts
    }
}

/// A JavaScript object of these strings as `JSON.stringify` writes it, its keys sorted as
/// JavaScript sorts them: by UTF-16 code unit. Of one name the last counts; `None` without any.
fn record<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> Option<String> {
    let mut sorted: Vec<(&str, &str)> = Vec::new();
    for (name, value) in members {
        sorted.retain(|(other, _)| *other != name);
        // Sorted by hand: there are a few at most, and a sort is ten kilobytes of code.
        let is_behind = |other: &str| other.encode_utf16().gt(name.encode_utf16());
        let at = sorted.iter().position(|(other, _)| is_behind(other));
        sorted.insert(at.unwrap_or(sorted.len()), (name, value));
    }
    let members: Vec<_> =
        sorted.iter().map(|(name, value)| [&quote(name), ":", &quote(value)].concat()).collect();
    (!members.is_empty()).then(|| format!("{{{}}}", members.join(",")))
}

/// `key=value`; mcp-remote ends where there is no key.
fn authorize_param(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty())?;
    Some((trim(key), value))
}

/// `/^([A-Za-z0-9_-]+):\s*(.*)$/`, in JavaScript's meaning.
fn header(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let value = value.trim_start_matches(is_space);
    let is_one_line = !value.contains(['\n', '\r', '\u{2028}', '\u{2029}']);
    (!name.is_empty() && name.bytes().all(is_plain) && is_one_line).then_some((name, value))
}

/// The header lines of a `--header-file` with this text, as mcp-remote reads them.
pub fn header_file(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').map(trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// mcp-remote ignores what is not `https` or has no path.
fn client_metadata_url(text: &str) -> Option<String> {
    let text = trim(text);
    let url = Url::parse(text).ok()?;
    (url.scheme() == "https" && url.path() != "/").then(|| text.to_owned())
}

fn token_endpoint(text: &str) -> Option<String> {
    Url::parse(trim(text)).ok().map(String::from)
}

fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Whether JavaScript trims it: all that Unicode calls white space but U+0085, and U+FEFF.
fn is_space(char: char) -> bool {
    char == '\u{feff}' || char.is_whitespace() && char != '\u{85}'
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://mcp.example.com/mcp";

    /// A command line, and the digests that mcp-remote 0.15.1 and 0.3.1 made of it.
    struct Vector {
        name: &'static str,
        argv: &'static [(&'static str, &'static str)],
        current: &'static str,
        older: &'static str,
    }

    /// As mcp-remote 0.15.1 registered it for this URL.
    #[test]
    fn the_port_is_the_one_that_mcp_remote_listens_at() {
        let flags = Flags { server_url: "http://127.0.0.1:38431/mcp", ..Flags::default() };
        assert_eq!(flags.port(), 37489);
    }

    const VECTORS: &[Vector] = &[
        Vector {
            name: "the URL alone",
            argv: &[],
            current: "94baabe3c3fadb285b26c035e4e86046",
            older: "94baabe3c3fadb285b26c035e4e86046",
        },
        Vector {
            name: "the URL is not normalised",
            argv: &[("url", "HTTPS://MCP.Example.com:443/a/../mcp?b=1")],
            current: "71ffbb4b8a70a94ef9532ce21684cd08",
            older: "71ffbb4b8a70a94ef9532ce21684cd08",
        },
        Vector {
            name: "the resource is trimmed",
            argv: &[("--resource", " https://api.example.com/ ")],
            current: "f580260ba51a7fe035ec50bf97093cf1",
            older: "f580260ba51a7fe035ec50bf97093cf1",
        },
        Vector {
            name: "the last parameter of a name counts, and a value may hold `=`",
            argv: &[
                ("--authorize-param", "prompt=login"),
                ("--authorize-param", "audience=https://api.example.com"),
                ("--authorize-param", " prompt =a=b"),
            ],
            current: "9fca6e695ee7a9d93faa516fdfb3efb6",
            older: "94baabe3c3fadb285b26c035e4e86046",
        },
        Vector {
            name: "parameters are sorted by UTF-16 code unit, not by character",
            argv: &[
                ("--authorize-param", "\u{1f511}=1"),
                ("--authorize-param", "\u{fb01}=2"),
                ("--authorize-param", "ü=3"),
            ],
            current: "f24b2cffcbfa370f0ae5b705b93a2af8",
            older: "94baabe3c3fadb285b26c035e4e86046",
        },
        Vector {
            name: "headers keep their case, spaces at the end, and variables unexpanded",
            argv: &[
                ("--header", "b:  2 "),
                ("--header", "X-Key: ${KEY}"),
                ("--header", "a-b: 1"),
                ("--header", "A_c: 3"),
                ("--header", "b:22"),
                ("--header", "B: big"),
            ],
            current: "e3fd0dcfbd5a23618ddfe74cf1e9fda4",
            older: "e3fd0dcfbd5a23618ddfe74cf1e9fda4",
        },
        Vector {
            name: "values are escaped as JSON.stringify does",
            argv: &[("--header", "X: \"q\" \\ \u{1}\t\u{7f} é \u{1f511} /")],
            current: "2fde8ee9c9a22986387973f4338cac90",
            older: "2fde8ee9c9a22986387973f4338cac90",
        },
        Vector {
            name: "what is no header is left out",
            argv: &[
                ("--header", "no colon"),
                ("--header", "a b: 1"),
                ("--header", "X: a\u{2028}b"),
                ("--header", "Y:\n\u{feff} ok"),
                ("--header", "Z:"),
            ],
            current: "870f4c62f4e073cbcfaf5f17ee54bf5e",
            older: "870f4c62f4e073cbcfaf5f17ee54bf5e",
        },
        Vector {
            name: "a client metadata URL is trimmed",
            argv: &[("--client-metadata-url", " https://app.example.com/client.json ")],
            current: "ee5a5b9e1ea7d370cb64d317f3b3ada1",
            older: "94baabe3c3fadb285b26c035e4e86046",
        },
        Vector {
            name: "a client metadata URL without a path is ignored",
            argv: &[("--client-metadata-url", "https://app.example.com")],
            current: "94baabe3c3fadb285b26c035e4e86046",
            older: "94baabe3c3fadb285b26c035e4e86046",
        },
        Vector {
            name: "the token endpoint is normalised",
            argv: &[("--token-endpoint", "HTTPS://Auth.Example.com:443/x/../token?a=b c")],
            current: "0d693a370a00f7d8533ab9d55132440d",
            older: "94baabe3c3fadb285b26c035e4e86046",
        },
        Vector {
            name: "all of them",
            argv: &[
                ("--resource", "urn:x"),
                ("--authorize-param", "a=b"),
                ("--header", "H: v"),
                ("--client-metadata-url", "https://app.example.com/c"),
                ("--token-endpoint", "https://auth.example.com"),
            ],
            current: "23278a9c1bd5f15f5bc36df8a88d70d0",
            older: "c17f388dda18d20c0436f98f90bf65e2",
        },
    ];

    #[test]
    fn the_digests_are_those_of_mcp_remote() {
        for Vector { name, argv, current, older } in VECTORS {
            let all = |flag: &str| -> Vec<String> {
                let given = argv.iter().filter(|(name, _)| *name == flag);
                given.map(|(_, value)| (*value).to_owned()).collect()
            };
            let one =
                |flag: &str| argv.iter().find(|(name, _)| *name == flag).map(|(_, value)| *value);
            let (authorize_params, headers) = (all("--authorize-param"), all("--header"));
            let flags = Flags {
                server_url: one("url").unwrap_or(URL),
                resource: one("--resource"),
                authorize_params: &authorize_params,
                headers: &headers,
                client_metadata_url: one("--client-metadata-url"),
                token_endpoint: one("--token-endpoint"),
            };
            assert_eq!(flags.hash(Recipe::Current), *current, "{name}");
            assert_eq!(flags.hash(Recipe::UrlResourceHeaders), *older, "{name}");
            let url = Flags { server_url: flags.server_url, ..Flags::default() };
            assert_eq!(flags.hash(Recipe::Url), url.hash(Recipe::Current), "{name}");
        }
    }

    #[test]
    fn an_empty_resource_is_none() {
        let flags = Flags { server_url: URL, resource: Some(" "), ..Flags::default() };
        assert_eq!(flags.hash(Recipe::Current), "94baabe3c3fadb285b26c035e4e86046");
    }

    #[test]
    fn a_header_file_has_comments_and_either_line_end() {
        let lines: Vec<_> = header_file("# no\r\n  A: 1 \r\n\n\tB: 2\n# C: 3").collect();
        assert_eq!(lines, ["A: 1", "B: 2"]);
    }
}
