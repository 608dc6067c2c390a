//! The headers that the person named.

use std::{fs, path::Path};

use http::{HeaderName, HeaderValue};

use super::{credential::is_credential, environment::Environment};
use crate::{
    cli::{HeaderSource, argv::is_unfilled},
    error::{Error, Kind},
};

/// Headers in the order they were first named, one of a name.
pub type Headers = Vec<(HeaderName, HeaderValue)>;

/// What the bridge sets itself; a second opinion would break the protocol.
const OWN: [&str; 11] = [
    "accept",
    "content-type",
    "content-length",
    "host",
    "connection",
    "transfer-encoding",
    "mcp-protocol-version",
    "mcp-session-id",
    "mcp-method",
    "mcp-name",
    "last-event-id",
];

/// Collects one source's headers after another's, the weakest source first.
pub struct Collector<'a> {
    env: &'a Environment,
    headers: Headers,
    warnings: Vec<String>,
}

impl<'a> Collector<'a> {
    /// Nothing yet; `${VAR}` will be looked up in `env`.
    pub fn new(env: &'a Environment) -> Self {
        Collector { env, headers: Vec::new(), warnings: Vec::new() }
    }

    /// Adds a source's headers; those of a name already there are replaced.
    ///
    /// # Errors
    /// A file cannot be read, a variable is missing, a value holds what no header can.
    pub fn add(&mut self, sources: &[HeaderSource]) -> Result<(), Error> {
        for source in sources {
            match source {
                HeaderSource::Line(line) => self.add_line(line, "a header")?,
                HeaderSource::File(path) => self.add_file(path)?,
            }
        }
        Ok(())
    }

    /// Warns once about credentials that stand on the command line in the clear.
    pub fn warn_of_literals(&mut self, sources: &[HeaderSource]) {
        let mut names: Vec<String> = sources.iter().filter_map(literal_credential).collect();
        names.dedup();
        if !names.is_empty() {
            self.warnings.push(format!(
                "the value of {} stands on the command line, where other programs and logs can \
                 see it; write ${{VARIABLE}} in its place, or use --header-file",
                names.join(" and ")
            ));
        }
    }

    /// The headers, their values marked sensitive, and what the person should know.
    pub fn finish(self) -> (Headers, Vec<String>) {
        (self.headers, self.warnings)
    }

    fn add_file(&mut self, path: &Path) -> Result<(), Error> {
        let text = fs::read_to_string(path).map_err(|cause| {
            Error::new(Kind::Config, format!("could not read the header file {}", path.display()))
                .because(cause.to_string())
        })?;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                self.add_line(line, &format!("line {} of {}", index + 1, path.display()))?;
            }
        }
        Ok(())
    }

    fn add_line(&mut self, line: &str, place: &str) -> Result<(), Error> {
        if is_unfilled(line) {
            return Ok(());
        }
        let Some((name, value)) = parse(line) else {
            self.warnings.push(format!("ignored {place} that does not read `Name: value`"));
            return Ok(());
        };
        if OWN.contains(&name.as_str()) || name.as_str().starts_with("mcp-param-") {
            self.warnings.push(format!("ignored the header {name}: the bridge sets it itself"));
            return Ok(());
        }
        let value = expand(value, self.env).map_err(|variable| missing(&variable, &name))?;
        if is_unfilled(&value) {
            return Ok(());
        }
        if value.is_empty() && is_credential(&name) {
            self.warnings.push(format!("ignored the header {name}: its value is empty"));
            return Ok(());
        }
        let mut value = HeaderValue::from_str(&value).map_err(|_| {
            Error::new(Kind::Config, format!("the value of the header {name} cannot be sent"))
                .because("it holds a line break or another control character")
        })?;
        value.set_sensitive(true);
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value));
        Ok(())
    }
}

fn missing(variable: &str, header: &HeaderName) -> Error {
    Error::new(
        Kind::Config,
        format!("the header {header} needs the environment variable {variable}"),
    )
    .because("it is not set")
    .hint(format!("set {variable} where the client's configuration has `env`"))
}

impl HeaderSource {
    /// Whether a credential stands here in the clear.
    pub(super) fn is_literal_credential(&self) -> bool {
        literal_credential(self).is_some()
    }
}

fn literal_credential(source: &HeaderSource) -> Option<String> {
    let HeaderSource::Line(line) = source else { return None };
    let (name, value) = parse(line)?;
    let literal = is_credential(&name) && !value.is_empty() && !value.contains("${");
    literal.then(|| name.to_string())
}

/// `Name: value`, the name of letters, digits, `-` and `_`.
fn parse(line: &str) -> Option<(HeaderName, &str)> {
    let (name, value) = line.split_once(':')?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let name = name.trim_start();
    (name.bytes().all(is_plain)).then_some(())?;
    Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value.trim()))
}

/// Replaces each `${VAR}`; the error is the name of a variable that is not set.
pub(super) fn expand(text: &str, env: &Environment) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, tail)) = after.split_once('}').filter(|(name, _)| !name.is_empty()) else {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = after;
            continue;
        };
        expanded.push_str(before);
        expanded.push_str(env.raw(name).ok_or(name)?);
        rest = tail;
    }
    expanded.push_str(rest);
    Ok(expanded.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Collected = (Vec<(String, String)>, Vec<String>);

    fn collect(lines: &[&str]) -> Result<Collected, Error> {
        let env = Environment::of([("TOKEN", "t0k"), ("EMPTY", ""), ("OPEN", "${user_config.k}")]);
        let mut collector = Collector::new(&env);
        let sources: Vec<_> =
            lines.iter().map(|line| HeaderSource::Line((*line).to_owned())).collect();
        collector.add(&sources)?;
        let (headers, warnings) = collector.finish();
        assert!(headers.iter().all(|(_, value)| value.is_sensitive()));
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Ok((
            headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            warnings,
        ))
    }

    #[test]
    fn headers_are_read_as_mcp_remote_reads_them() {
        for (lines, expected) in [
            (vec!["X-Api-Key:  abc "], vec![("x-api-key", "abc")]),
            (vec!["a_b-C9:x:y: z"], vec![("a_b-c9", "x:y: z")]),
            (vec!["A: 1", "B: 2", "a: 3"], vec![("b", "2"), ("a", "3")]),
            (vec!["Authorization: Bearer ${TOKEN}"], vec![("authorization", "Bearer t0k")]),
            (vec!["A: ${TOKEN}${TOKEN}-${}-${"], vec![("a", "t0kt0k-${}-${")]),
            (vec!["A: ${EMPTY}"], vec![("a", "")]),
            (vec!["A: ${OPEN}", "B: ${user_config.x}"], vec![]),
            (vec!["A: größe"], vec![("a", "größe")]),
        ] {
            let (headers, warnings) = collect(&lines).expect("these are good");
            let pairs: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!((pairs, warnings), (expected, vec![]), "{lines:?}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named_but_not_shown() {
        for (line, warning) in [
            ("no colon SECRET", "ignored a header that does not read `Name: value`"),
            ("bad name: SECRET", "ignored a header that does not read `Name: value`"),
            (": SECRET", "ignored a header that does not read `Name: value`"),
            ("Accept: SECRET", "ignored the header accept: the bridge sets it itself"),
            ("MCP-Param-X: SECRET", "ignored the header mcp-param-x: the bridge sets it itself"),
            ("x-api-key: ${EMPTY}", "ignored the header x-api-key: its value is empty"),
        ] {
            let (headers, warnings) = collect(&[line]).expect("a warning is enough");
            assert_eq!((headers, warnings), (vec![], vec![warning.to_owned()]), "{line}");
        }
    }

    #[test]
    fn a_missing_variable_and_a_control_character_are_errors() {
        let text = |line: &str| collect(&[line]).expect_err("this is an error").report();
        let missing = text("Authorization: Bearer ${NOT_SET} SECRET");
        assert!(missing.contains("NOT_SET") && missing.contains("authorization"), "{missing}");
        let control = text("x-api-key: SECRET\nX: y");
        assert!(control.contains("x-api-key"), "{control}");
        assert!(!(missing + &control).contains("SECRET"));
    }

    #[test]
    fn a_header_file_has_comments_and_may_have_mistakes() {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::io::Write::write_all(&mut file, b"# note\n\n  A: 1  \r\nSECRET\nB: ${T}\n")
            .expect("it can be written");
        let env = Environment::of([("T", "2")]);
        let mut collector = Collector::new(&env);
        collector.add(&[HeaderSource::File(file.path().into())]).expect("it can be read");
        let (headers, warnings) = collector.finish();
        assert_eq!(headers.len(), 2);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("line 4 of") && !warnings[0].contains("SECRET"));
        let mut collector = Collector::new(&env);
        let error = collector.add(&[HeaderSource::File("/does/not/exist".into())]);
        assert_eq!(error.expect_err("there is no such file").kind(), Kind::Config);
    }

    #[test]
    fn credentials_in_the_clear_are_warned_of_once() {
        let env = Environment::default();
        for (lines, warned) in [
            (vec!["x-api-key: SECRET", "authorization: SECRET", "A: b"], true),
            (vec!["x-api-key: ${KEY}", "x-org-id: o"], false),
        ] {
            let mut collector = Collector::new(&env);
            let lines: Vec<_> = lines.into_iter().map(|l| HeaderSource::Line(l.into())).collect();
            collector.warn_of_literals(&lines);
            let (_, warnings) = collector.finish();
            assert_eq!(warnings.len(), usize::from(warned));
            assert!(warnings.iter().all(|text| text.contains("x-api-key and authorization")));
            assert!(warnings.iter().all(|text| !text.contains("SECRET")));
        }
    }
}
