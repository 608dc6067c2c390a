use super::*;

fn parse(text: &str) -> Result<Message, Invalid> {
    Message::parse(Bytes::copy_from_slice(text.as_bytes()))
}

fn message(text: &str) -> Message {
    parse(text).unwrap_or_else(|invalid| panic!("{text}: {invalid}"))
}

#[test]
fn tells_the_three_kinds_apart() {
    for (text, kind) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, Kind::Request),
        (r#"{"method":"ping","id":"a","vendor":{"x":[1,2]}}"#, Kind::Request),
        (r#"{"jsonrpc":"2.0","method":"notifications/x"}"#, Kind::Notification),
        (r#"{"id":1,"result":null}"#, Kind::Response),
        (r#"{"id":null,"error":{"code":1}}"#, Kind::Response),
        (r#"{"error":{"code":1}}"#, Kind::Response),
    ] {
        assert_eq!(message(text).kind(), kind, "{text}");
    }
}

#[test]
fn refuses_what_is_no_message_and_says_which_way() {
    for text in ["", "{", "nope", r#"{"id":1,"method":"x"} trailing"#, "{\"id\":\"\u{1}\"}"] {
        assert!(matches!(parse(text), Err(Invalid::Syntax(_))), "{text}");
    }
    for (text, id) in [
        ("[]", None),
        ("7", None),
        ("{}", None),
        (r#"{"id":7}"#, Some("7")),
        (r#"{"id":7,"method":5}"#, Some("7")),
    ] {
        assert_eq!(parse(text).err(), Some(Invalid::Shape(id.map(str::to_owned))), "{text}");
    }
}

#[test]
fn keeps_every_token_as_it_stands() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for params in [
        "1e400",
        "123456789012345678901234567890",
        "\"\\ud800\"",
        "{\"a\":1,\"a\":2}",
        deep.as_str(),
    ] {
        let text = format!(r#"{{"id":1.0,"method":"m","params":{params}}}"#);
        assert_eq!(message(&text).params(), Some(params));
        assert_eq!(message(&text).id(), Some("1.0"));
    }
}

#[test]
fn the_last_of_repeated_members_counts() {
    let m = message(r#"{"id":1,"method":"a","id":2,"method":"b\u0063"}"#);
    assert_eq!((m.id(), m.method().as_ref()), (Some("2"), "bc"));
}

#[test]
fn splices_an_id_and_nothing_else() {
    let m = message(r#"{ "id" : 7 , "method":"x","params":{"id":7} }"#);
    assert_eq!(m.with_id("\"n\""), r#"{ "id" : "n" , "method":"x","params":{"id":7} }"#.as_bytes());
    let m = message("{\"error\":{\"code\":1}}\n");
    assert_eq!(m.with_id_added("3"), "{\"error\":{\"code\":1},\"id\":3}\n".as_bytes());
}

#[test]
fn splices_a_param() {
    let m =
        message(r#"{"method":"notifications/cancelled","params":{"requestId":1,"reason":"r"}}"#);
    assert_eq!(
        m.with_param("requestId", "\"z\""),
        r#"{"method":"notifications/cancelled","params":{"requestId":"z","reason":"r"}}"#
            .as_bytes()
    );
}

#[test]
fn splices_an_id_and_the_params_or_the_result_in_either_order() {
    let request = message(r#"{ "params":{"a":1} ,"id":1,"method":"m"}"#);
    assert_eq!(
        request.with_id_and_params("\"x\"", r#"{"b":2}"#),
        r#"{ "params":{"b":2} ,"id":"x","method":"m"}"#
    );
    let answer = message(r#"{"id":1, "result": {"a":1.0} }"#);
    assert_eq!(answer.with_id_and_result("22", "{}"), r#"{"id":22, "result": {} }"#);
    let bare = message(r#"{"id":1,"method":"m"}"#);
    assert_eq!(bare.with_id_and_params("2", "{}"), r#"{"id":2,"method":"m"}"#);
}

#[test]
fn ids_are_the_same_by_value() {
    for (a, b, same) in [
        ("1", "1", true),
        ("1", "1.0", true),
        ("1", "\"1\"", false),
        ("\"a\"", "\"\\u0061\"", true),
        ("12345678901234567890", "12345678901234567000", true),
        ("1", "2", false),
        ("null", "0", false),
    ] {
        assert_eq!(same_id(a, b), same, "{a} {b}");
    }
}

#[test]
fn a_message_fits_on_one_line() {
    assert_eq!(one_line(Bytes::from_static(b"{\r\n \"a\":1}\n")), &b"{   \"a\":1} "[..]);
    assert_eq!(one_line(Bytes::from_static(b"{}")), &b"{}"[..]);
}

#[test]
fn null_is_no_request_id() {
    for (token, ok) in
        [("1", true), ("-1", true), ("\"\"", true), ("null", false), ("{}", false), ("true", false)]
    {
        assert_eq!(is_request_id(token), ok, "{token}");
    }
}

#[test]
fn several_members_are_found_in_one_pass() {
    let text = r#"{"a":1,"b":[2],"\u0061": 3,"c":null}"#;
    assert_eq!(members(text, ["a", "x", "c"]), [Some("3"), None, Some("null")]);
    assert_eq!(members("[1]", ["a"]), [None]);
    assert_eq!(members(r#"{"a":1,"b"#, ["a"]), [None]);
}
