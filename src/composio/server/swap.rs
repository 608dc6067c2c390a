//! Swapping the URL of an MCP server for that of the session that replaces it, in the text of a
//! client's configuration: JSON, also with comments. Every other byte stays what it is. Pure.

/// Which URLs are swapped.
#[derive(Debug, Clone, Copy)]
pub struct Swap<'a> {
    /// The id of the server.
    pub server: &'a str,
    /// The user that the session is for.
    pub user: &'a str,
    /// The connected accounts that the session has.
    pub accounts: &'a [String],
    /// The URL that takes the place of the server's.
    pub url: &'a str,
}

/// A text after the swap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swapped {
    /// The text.
    pub text: String,
    /// How many URLs were swapped.
    pub count: usize,
    /// How many URLs of the server were left, as they are for other users or accounts.
    pub left: usize,
}

/// The document is not JSON: a string or a comment has no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

impl Swap<'_> {
    /// Swaps the URLs in the strings of a document; comments and the names of members stay.
    ///
    /// # Errors
    /// The document is not JSON.
    pub fn in_document(&self, document: &str) -> Result<Swapped, Unreadable> {
        let mut swapped = Swapped::default();
        let mut rest = document;
        while let Some(at) = rest.find(['"', '/']) {
            let (before, from) = rest.split_at(at);
            swapped.text.push_str(before);
            let end =
                if from.starts_with('"') { end_of_string(from)? } else { end_of_other(from)? };
            let (part, after) = from.split_at(end);
            let is_name = after.trim_start().starts_with(':');
            match part.starts_with('"') && !is_name {
                true => self.in_literal(part, &mut swapped)?,
                false => swapped.text.push_str(part),
            }
            rest = after;
        }
        swapped.text.push_str(rest);
        Ok(swapped)
    }

    /// Swaps the URLs in a string with its quotes; one that holds none keeps its bytes.
    fn in_literal(&self, literal: &str, swapped: &mut Swapped) -> Result<(), Unreadable> {
        let decoded: String = serde_json::from_str(literal).map_err(|_| Unreadable)?;
        let count = swapped.count;
        let text = self.in_text(&decoded, swapped);
        if swapped.count == count {
            swapped.text.push_str(literal);
        } else {
            swapped.text.push_str(&serde_json::Value::from(text).to_string());
        }
        Ok(())
    }

    /// Swaps the URLs in a text, such as an argument.
    fn in_text(&self, text: &str, swapped: &mut Swapped) -> String {
        let mut result = String::new();
        let mut rest = text;
        while let Some(at) =
            [rest.find("https://"), rest.find("http://")].into_iter().flatten().min()
        {
            let (before, from) = rest.split_at(at);
            let is_end = |letter: char| {
                letter.is_whitespace() || matches!(letter, '"' | '\'' | '`' | '<' | '>')
            };
            let (url, after) = from.split_at(from.find(is_end).unwrap_or(from.len()));
            result.push_str(before);
            match self.judge(url) {
                Some(true) => {
                    swapped.count += 1;
                    result.push_str(self.url);
                }
                Some(false) => {
                    swapped.left += 1;
                    result.push_str(url);
                }
                None => result.push_str(url),
            }
            rest = after;
        }
        result + rest
    }

    /// Whether a URL is to be swapped, where it is one of the server.
    fn judge(&self, url: &str) -> Option<bool> {
        if super::id(url).ok()? != self.server {
            return None;
        }
        let query = reqwest::Url::parse(url).ok()?;
        let value = |wanted: &[&str]| {
            let found = query.query_pairs().find(|(name, _)| wanted.contains(&&**name));
            found.map(|(_, value)| value.into_owned())
        };
        Some(
            match (
                value(&["user_id", "user"]),
                value(&["connected_account_id", "connected_account_ids"]),
            ) {
                (Some(user), _) => user == self.user,
                (None, Some(account)) => self.accounts.contains(&account),
                // It works for nobody, so it is nobody else's.
                (None, None) => true,
            },
        )
    }
}

/// The length of a string with its quotes.
fn end_of_string(text: &str) -> Result<usize, Unreadable> {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return Ok(at + 1),
            b'\n' => return Err(Unreadable),
            _ => {}
        }
    }
    Err(Unreadable)
}

/// The length of a comment, or of a slash that begins none.
fn end_of_other(text: &str) -> Result<usize, Unreadable> {
    if text.starts_with("//") {
        return Ok(text.find('\n').unwrap_or(text.len()));
    }
    if let Some(inner) = text.strip_prefix("/*") {
        return inner.find("*/").map(|at| at + 4).ok_or(Unreadable);
    }
    Ok(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5bbde5b5-83ec-4b28-94c8-0d4a8d7b8a2f";
    const NEW: &str = "https://backend.composio.dev/tool_router/trs_1/mcp";

    fn swapped(document: &str) -> Result<(String, usize, usize), Unreadable> {
        let accounts = ["ca_mine".to_owned()];
        let swap = Swap { server: ID, user: "ada", accounts: &accounts, url: NEW };
        let document = document.replace("ID", ID);
        let swapped = swap.in_document(&document)?;
        let text = swapped.text.replace(NEW, "NEW").replace(ID, "ID");
        Ok((text, swapped.count, swapped.left))
    }

    #[test]
    fn urls_of_the_server_and_the_user_are_swapped_and_nothing_else() {
        for (document, expected, count, left) in [
            (r#"{"url": "https://h/v3/mcp/ID?user_id=ada"}"#, r#"{"url": "NEW"}"#, 1, 0),
            (r#"{"url": "https://h/v3/mcp/ID/mcp?user_id=ada"}"#, r#"{"url": "NEW"}"#, 1, 0),
            (
                r#"{"url":"https:\/\/h\/v3\/mcp\/ID?a=1\u0026user_id=ada"}"#,
                r#"{"url":"NEW"}"#,
                1,
                0,
            ),
            (
                r#"["npx setup 'https://h/v3/mcp/ID?user_id=ada' --x", "a\tb"]"#,
                r#"["npx setup 'NEW' --x", "a\tb"]"#,
                1,
                0,
            ),
            (
                r#"["https://mcp.composio.dev/composio/server/ID/sse?user_id=ada"]"#,
                r#"["NEW"]"#,
                1,
                0,
            ),
            (r#"["https://h/v3/mcp/ID"]"#, r#"["NEW"]"#, 1, 0),
            (r#"["https://h/v3/mcp/ID?connected_account_ids=ca_mine"]"#, r#"["NEW"]"#, 1, 0),
            (
                r#"["https://h/v3/mcp/ID?connected_account_id=ca_other"]"#,
                r#"["https://h/v3/mcp/ID?connected_account_id=ca_other"]"#,
                0,
                1,
            ),
            (
                r#"["https://h/v3/mcp/ID?user_id=bob"]"#,
                r#"["https://h/v3/mcp/ID?user_id=bob"]"#,
                0,
                1,
            ),
            (
                r#"["https://h/v3/mcp/other-server?user_id=ada"]"#,
                r#"["https://h/v3/mcp/other-server?user_id=ada"]"#,
                0,
                0,
            ),
            // Names of members, comments, trailing commas, odd spaces and line ends stay.
            (
                "{ // \"https://h/v3/mcp/ID?user_id=ada\r\n\t\"https://h/v3/mcp/ID\" : [\"https://h/v3/mcp/ID?user_id=ada\",], /* \" */ }\r\n",
                "{ // \"https://h/v3/mcp/ID?user_id=ada\r\n\t\"https://h/v3/mcp/ID\" : [\"NEW\",], /* \" */ }\r\n",
                1,
                0,
            ),
            ("\u{feff}{\"u\":\"https://h/v3/mcp/ID\"}", "\u{feff}{\"u\":\"NEW\"}", 1, 0),
            ("{}", "{}", 0, 0),
        ] {
            assert_eq!(swapped(document), Ok((expected.to_owned(), count, left)), "{document}");
        }
    }

    #[test]
    fn what_is_no_json_is_left_alone() {
        for document in
            ["{\"a\": \"no end", "{ /* no end", "{\"a\": \"\\x\"}", "{\"a\": \"line\nend\"}"]
        {
            assert_eq!(swapped(document), Err(Unreadable), "{document}");
        }
    }
}
