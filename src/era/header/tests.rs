use proptest::prelude::*;

use super::*;

/// What a server makes of a value.
fn decode(value: &str) -> String {
    let inner = value.strip_prefix(OPENING).and_then(|rest| rest.strip_suffix(CLOSING));
    let Some(inner) = inner else { return value.to_owned() };
    String::from_utf8(STANDARD.decode(inner).expect("Base64")).expect("UTF-8")
}

#[test]
fn mh_20_to_24_the_worked_values() {
    for (text, value) in [
        ("us-west1", "us-west1"),
        ("us west 1", "us west 1"),
        (" padded ", "=?base64?IHBhZGRlZCA=?="),
        (" us-west1", "=?base64?IHVzLXdlc3Qx?="),
        ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ("=?base64?open", "=?base64?open"),
        ("日本語", "=?base64?5pel5pys6Kqe?="),
        ("größe", "=?base64?Z3LDtsOfZQ==?="),
        ("a\tb", "=?base64?YQli?="),
        ("\ta", "=?base64?CWE=?="),
        ("\u{7f}", "=?base64?fw==?="),
        ("", ""),
        (" ", "=?base64?IA==?="),
    ] {
        assert_eq!(encode(text), value, "{text:?}");
        assert_eq!(decode(value), text);
    }
}

#[test]
fn mh_20_and_35_tokens_are_encoded_by_their_own_type() {
    for (token, value) in [
        (r#""us-west1""#, Ok(Some("us-west1"))),
        (r#""\u0061\n""#, Ok(Some("=?base64?YQo=?="))),
        (r#""""#, Ok(Some(""))),
        (r#""\ud800""#, Ok(None)),
        ("true", Ok(Some("true"))),
        ("false", Ok(Some("false"))),
        ("null", Ok(None)),
        ("[1]", Ok(None)),
        (r#"{"a":1}"#, Ok(None)),
        ("42", Ok(Some("42"))),
        ("-7", Ok(Some("-7"))),
        ("-0", Ok(Some("0"))),
        ("42.0", Ok(Some("42"))),
        ("4.2e1", Ok(Some("42"))),
        ("-0.0", Ok(Some("0"))),
        ("1.50", Ok(Some("1.5"))),
        ("9007199254740991", Ok(Some("9007199254740991"))),
        ("-9007199254740991", Ok(Some("-9007199254740991"))),
        ("9007199254740992", Err(TooLarge)),
        ("-9007199254740992", Err(TooLarge)),
        ("9007199254740992.0", Err(TooLarge)),
        ("123456789012345678901234567890", Err(TooLarge)),
        ("1e400", Err(TooLarge)),
    ] {
        let expected = value.map(|value| value.map(str::to_owned));
        assert_eq!(encode_token(token), expected, "{token}");
    }
}

proptest! {
    #[test]
    fn mh_25_every_value_is_legal_and_decodes_to_what_it_was(
        text in prop_oneof![any::<String>(), "[ -~\t\r\n]{0,8}", r"=\?base64\?[ -~]{0,6}\?="],
    ) {
        let value = encode(&text);
        prop_assert!(value.bytes().all(|byte| (0x20..=0x7e).contains(&byte)), "{value:?}");
        prop_assert_eq!(value.trim(), value.as_ref());
        prop_assert!(http::HeaderValue::from_str(&value).is_ok());
        prop_assert_eq!(decode(&value), text);
    }
}
