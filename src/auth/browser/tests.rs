use super::*;

/// URLs that no program is given: T119 and its relatives.
const REFUSED: &[&str] = &[
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "vbscript:x",
    "cursor://anysphere/x",
    "ms-settings:privacy",
    "http://evil.example/authorize",
    "http://localhost.evil.example/",
    "https://SECRET@a.example/",
    "https://u:SECRET@a.example/",
    "http://u@127.0.0.1/",
];

#[test]
fn only_pages_that_can_be_a_sign_in_are_opened() {
    for text in REFUSED {
        let error = parse(text).expect_err(text);
        assert_eq!(error.kind(), Kind::Protocol);
        assert!(!error.report().contains("SECRET"), "{}", error.report());
    }
    for text in
        ["https://a.example/\nx", "https://a.ex\tample/", "https://a.example/\0", "a.example", ""]
    {
        parse(text).expect_err(text);
    }
    for text in [
        "https://a.example/my%20realm/authorize?redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcb&x='{}|^",
        "https://a.example:8443/#/a?b=c",
        "http://localhost:1/authorize",
        "http://127.0.0.1:1/authorize",
        "http://[::1]:1/authorize",
        "https://b\u{fc}cher.example/\u{e4} b",
    ] {
        parse(text).expect(text);
    }
}

#[cfg(unix)]
mod started {
    use std::path::Path;

    use super::*;

    /// A command that writes its argument into `dir/name` and then does `then`.
    fn helper(dir: &Path, name: &str, then: &str) -> Opener {
        let script = dir.join(format!("{name}.sh"));
        let text = format!("printf '%s' \"$1\" > '{}/{name}'\n{then}\n", dir.display());
        std::fs::write(&script, text).expect("a script");
        // `sh` reads the script here; what is tested goes through as its argument.
        let arguments = vec![script.display().to_string(), URL.to_owned()];
        Opener { program: "/bin/sh".to_owned(), arguments }
    }

    const URL: &str = "https://a.example/my%20realm/a?x=1&y=%3A$(id)`id`;'*#/b";

    fn written(dir: &Path, name: &str) -> Option<String> {
        std::fs::read_to_string(dir.join(name)).ok()
    }

    #[tokio::test]
    async fn the_next_one_is_tried_only_after_a_failure() {
        let dir = tempfile::tempdir().expect("a directory");
        let missing = Opener { program: "/nonexistent/browser".into(), arguments: vec![] };
        let plan = [
            missing.clone(),
            helper(dir.path(), "fails", "exit 3"),
            helper(dir.path(), "works", "exit 0"),
            helper(dir.path(), "never", "exit 0"),
        ];
        first_that_works(&plan).await.expect("the third one works");
        let said = ["fails", "works", "never"].map(|name| written(dir.path(), name));
        assert_eq!(said, [Some(URL.to_owned()), Some(URL.to_owned()), None]);

        let error = first_that_works(&plan[..2]).await.expect_err("none works");
        assert!(error.report().contains("`/nonexistent/browser`: No such file"), "{error}");
        assert!(error.report().contains("exit status: 3"), "{error}");
        assert!(error.report().contains("hint: copy the URL"), "{error}");
    }

    #[tokio::test]
    async fn one_that_goes_on_running_has_opened_the_page() {
        let dir = tempfile::tempdir().expect("a directory");
        let plan =
            [helper(dir.path(), "runs", "sleep 1; exit 1"), helper(dir.path(), "never", "exit 0")];
        first_that_works(&plan).await.expect("it runs");
        assert_eq!(written(dir.path(), "never"), None);
    }

    #[tokio::test]
    async fn the_page_is_opened_by_browser_and_only_if_it_may_be() {
        let dir = tempfile::tempdir().expect("a directory");
        let opener = helper(dir.path(), "opened", "exit 0");
        let browser = format!("{} '{}' %s", opener.program, opener.arguments[0]);
        let environment = Environment::of([("BROWSER", browser.as_str())]);
        for text in REFUSED {
            let url = Url::parse(text).expect(text);
            open(&url, &environment).await.expect_err(text);
        }
        assert_eq!(written(dir.path(), "opened"), None);
        let url = Url::parse(URL).expect("a URL");
        open(&url, &environment).await.expect("it is opened");
        assert_eq!(written(dir.path(), "opened").as_deref(), Some(url.as_str()));
    }
}
