use super::*;
use crate::{cli, config::environment::Environment};

fn api(base: &str) -> Api {
    let args = ["composio-bridge", base].map(std::ffi::OsString::from);
    let cli = cli::parse(args.to_vec()).expect("a URL is enough");
    let environment = Environment::of([("COMPOSIO_API_KEY", "ak_SECRET-1234567890")]);
    Api::new(Config::load(cli, &environment).expect("it is good"))
}

#[test]
fn ids_are_data_and_lead_nowhere_else() {
    let base = "http://127.0.0.1:1";
    for (base, path, expected) in [
        (base, ["session", "trs_1"], Some("/api/v3.1/session/trs_1")),
        (base, ["session", "a/../b?c#d"], Some("/api/v3.1/session/a%2F..%2Fb%3Fc%23d")),
        (base, ["session", ""], None),
        (base, ["session", ".."], None),
        (base, ["session", "."], None),
        ("http://127.0.0.1:1/gate/", ["s", "1"], Some("/gate/api/v3.1/s/1")),
        ("http://127.0.0.1:1/gate/api/v3?x=1", ["s", "1"], Some("/gate/api/v3.1/s/1")),
        ("http://127.0.0.1:1/api/v3.1/", ["s", "1"], Some("/api/v3.1/s/1")),
    ] {
        let url = api(base).url(&Call::get("could not look", &path));
        assert_eq!(url.as_ref().ok().map(Url::path), expected, "{base} {path:?}");
    }
    let mut call = Call::get("could not look", &["s"]);
    call.query = vec![("limit", "5".into()), ("search", "a&b".into())];
    let url = api(base).url(&call).expect("a URL");
    assert_eq!(url.query(), Some("limit=5&search=a%26b"));
}

#[tokio::test]
async fn an_identity_tells_keys_and_bases_apart_and_shows_neither() {
    let one = api("http://127.0.0.1:1").identity().await.expect("there is a key");
    let other = api("http://127.0.0.1:2").identity().await.expect("there is a key");
    assert_eq!(one, api("http://127.0.0.1:1").identity().await.expect("there is a key"));
    assert!(one != other && !one.contains("SECRET") && one.len() == 32, "{one} {other}");
}

#[test]
fn every_way_to_ask_has_its_own_right_to_ask_again() {
    let path = &["s"];
    for (call, repeat) in [
        (Call::get("x", path), Repeat::Safe),
        (Call::delete("x", path), Repeat::Safe),
        (Call::patch("x", path, Value::Null), Repeat::Safe),
        (Call::create("x", path, Value::Null), Repeat::IfNotDone),
        (Call::execute("x", path, Value::Null), Repeat::Never),
    ] {
        assert_eq!(call.repeat, repeat, "{}", call.method);
        let seconds = if repeat == Repeat::Never { 600 } else { 60 };
        assert_eq!(call.limit().as_secs(), seconds, "tools may work for minutes");
    }
}
