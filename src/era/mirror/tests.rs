use super::*;

/// A page with one tool a schema, named `t0`, `t1`…
fn page(schemas: &[&str]) -> String {
    let tools: Vec<String> = schemas
        .iter()
        .enumerate()
        .map(|(n, schema)| format!(r#"{{"name":"t{n}","inputSchema":{schema}}}"#))
        .collect();
    format!(r#"{{"tools":[{}],"resultType":"complete"}}"#, tools.join(","))
}

fn property(annotation: &str, kind: &str) -> String {
    format!(
        r#"{{"type":"object","properties":{{"p":{{"type":{kind},"x-mcp-header":{annotation}}}}}}}"#
    )
}

/// Why a tool with this schema is excluded.
fn fault(schema: &str) -> Option<String> {
    let mut tools = Tools::default();
    let mut warnings = Vec::new();
    let page = page(&[schema, "{}"]);
    let changed = tools.learn(&page, true, &mut warnings);
    assert_eq!(changed.is_some(), !warnings.is_empty());
    if let Some(changed) = changed {
        assert_eq!(
            changed,
            r#"{"tools":[{"name":"t1","inputSchema":{}}],"resultType":"complete"}"#
        );
    }
    warnings.pop()
}

#[test]
fn t54_mh_30_31_33_invalid_annotations_exclude_the_tool() {
    let nested = |outer: &str| {
        format!(r#"{{"properties":{{"a":{{{outer}}}}}}}"#)
            .replace("LEAF", r#"{"type":"string","x-mcp-header":"R"}"#)
    };
    for (schema, reason) in [
        (property(r#""""#, r#""string""#), "cannot end a header's name"),
        (property(r#""My Region""#, r#""string""#), "`My Region`"),
        (property(r#""A:B""#, r#""string""#), "`A:B`"),
        (property(r#""Région""#, r#""string""#), "cannot end"),
        (property(r#""a\r\nb""#, r#""string""#), "cannot end"),
        (property("5", r#""string""#), "not a string"),
        (property("null", r#""string""#), "not a string"),
        (property(r#""R""#, r#""number""#), "type"),
        (property(r#""R""#, r#""object""#), "type"),
        (property(r#""R""#, r#""array""#), "type"),
        (property(r#""R""#, r#""null""#), "type"),
        (property(r#""R""#, r#"["string","null"]"#), "type"),
        (r#"{"properties":{"p":{"x-mcp-header":"R"}}}"#.to_owned(), "type"),
        (r#"{"properties":{"p":{"$ref":"other","x-mcp-header":"R"}}}"#.to_owned(), "type"),
        (r#"{"type":"string","x-mcp-header":"R"}"#.to_owned(), "on the schema itself"),
        (
            r#"{"properties":{"a":{"type":"string","x-mcp-header":"Region"},"b":{"type":"string","x-mcp-header":"REGION"}}}"#
                .to_owned(),
            "two `x-mcp-header`",
        ),
        (nested(r#""items":LEAF"#), "below `items`"),
        (nested(r#""items":{"properties":{"b":LEAF}}"#), "below `items`"),
        (nested(r#""oneOf":[{"type":"string"},LEAF]"#), "below `oneOf`"),
        (nested(r#""properties":{"b":{"anyOf":[{"properties":{"c":LEAF}}]}}"#), "below `anyOf`"),
        (nested(r#""allOf":[[LEAF]]"#), "below `allOf`"),
        (nested(r#""not":LEAF"#), "below `not`"),
        (nested(r#""if":LEAF"#), "below `if`"),
        (nested(r#""then":LEAF"#), "below `then`"),
        (nested(r#""additionalProperties":LEAF"#), "below `additionalProperties`"),
        (nested(r#""patternProperties":{"x":LEAF}"#), "below `patternProperties`"),
        (nested(r#""$defs":{"x-mcp-header":LEAF}"#), "below `$defs`"),
        (nested(r#""vendor":{"deep":[LEAF]}"#), "below `deep`"),
        (r#"{"properties":{"a":[{"type":"string","x-mcp-header":"R"}]}}"#.to_owned(), "below"),
        (nested(r#""items":{"type":"string","x-mcp-\u0068eader":"R"}"#), "below `items`"),
        (
            format!("{}{}{}", "{\"not\":".repeat(5000), property(r#""R""#, r#""string""#), "}".repeat(5000)),
            "levels deep",
        ),
    ] {
        let found = fault(&schema).unwrap_or_else(|| panic!("not excluded: {schema}"));
        assert!(found.contains("`t0`") && found.contains(reason), "{found} for {schema}");
    }
}

#[test]
fn mh_30_what_is_valid_and_what_is_no_annotation() {
    for schema in [
        property(r#""R""#, r#""string""#),
        property(r#""!#$%&'*+-.^_`|~09azAZ""#, r#""integer""#),
        property(r#""R""#, r#""boolean""#),
        r#"{"properties":{"x-mcp-header":{"type":"number"}}}"#.to_owned(),
        r#"{"properties":{"a":{"default":{"x-mcp-header":5},"enum":[{"x-mcp-header":""}]}}}"#
            .to_owned(),
        r#"{"description":"set x-mcp-header","required":["x-mcp-header"]}"#.to_owned(),
        r#"{"properties":{"a":{"x-mcp-header":"","type":"string","x-mcp-header":"R"}}}"#.to_owned(),
    ] {
        assert_eq!(fault(&schema), None, "{schema}");
    }
}

fn learnt(schema: &str) -> Tools {
    let mut tools = Tools::default();
    assert_eq!(tools.learn(&page(&[schema]), true, &mut Vec::new()), None);
    tools
}

#[test]
fn t53_mh_34_39_values_stand_at_the_exact_path() {
    let tools = learnt(
        r#"{"properties":{"s":{"type":"string","x-mcp-header":"S"},
            "n":{"type":"integer","x-mcp-header":"N"},
            "a":{"type":"object","properties":{"b":{"type":"string","x-mcp-header":"B"}}}}}"#,
    );
    for (arguments, expected) in [
        (r#"{"s":"us west 1"}"#, &[("S", "us west 1")][..]),
        (r#"{"s":" x"}"#, &[("S", "=?base64?IHg=?=")]),
        (r#"{"s":"a\tb"}"#, &[("S", "=?base64?YQli?=")]),
        (r#"{"s":""}"#, &[("S", "")]),
        (r#"{"s":"=?base64?q?="}"#, &[("S", "=?base64?PT9iYXNlNjQ/cT89?=")]),
        (r#"{"s":true,"n":42}"#, &[("N", "42"), ("S", "true")]),
        (r#"{"n":"42"}"#, &[("N", "42")]),
        (r#"{"s":null}"#, &[]),
        (r#"{"s":[1],"n":{}}"#, &[]),
        (r#"{"b":"x","a.b":"y"}"#, &[]),
        (r#"{"a":{"b":"z"}}"#, &[("B", "z")]),
        (r#"{"a":"b"}"#, &[]),
        (r#"{"a":[{"b":"z"}]}"#, &[]),
        ("{}", &[]),
        ("7", &[]),
    ] {
        let headers = tools.headers("t0", Some(arguments)).expect("valid");
        let headers: Vec<(&str, &str)> = headers.iter().map(|(a, b)| (&**a, &**b)).collect();
        assert_eq!(headers, expected, "{arguments}");
    }
    assert_eq!(tools.headers("t0", None), Ok(Vec::new()));
    assert_eq!(tools.headers("other", Some(r#"{"s":"x"}"#)), Ok(Vec::new()));
}

#[test]
fn mh_35_an_integer_too_large_is_refused_without_showing_it() {
    let tools = learnt(&property(r#""N""#, r#""integer""#));
    let error = tools.headers("t0", Some(r#"{"p":9007199254740993}"#)).expect_err("too large");
    assert_eq!(error.kind().code(), -32602);
    assert!(error.to_string().contains("`p`") && !error.to_string().contains("900719"), "{error}");
}

#[test]
fn mh_36_a_page_adds_a_first_page_replaces_and_the_last_schema_counts() {
    let (string, plain) = (property(r#""R""#, r#""string""#), "{}");
    let sent = |tools: &Tools, name: &str| {
        !tools.headers(name, Some(r#"{"p":"x"}"#)).expect("valid").is_empty()
    };
    let mut tools = learnt(&string);
    let second = page(&[&string]).replace("t0", "u");
    tools.learn(&second, false, &mut Vec::new());
    assert!(sent(&tools, "t0") && sent(&tools, "u"));
    // The tool has lost its annotation, on a page without any.
    tools.learn(&page(&[plain]), false, &mut Vec::new());
    assert!(!sent(&tools, "t0") && sent(&tools, "u"));
    tools.learn(&page(&[plain]), true, &mut Vec::new());
    assert!(!sent(&tools, "u"));
}

#[test]
fn mh_32_an_excluded_tool_stays_so_until_the_next_list() {
    let mut tools = Tools::default();
    let (good, bad) = (property(r#""R""#, r#""string""#), property(r#""""#, r#""string""#));
    tools.learn(&page(&[&good, &bad]), true, &mut Vec::new());
    tools.forget();
    assert_eq!(tools.headers("t0", Some(r#"{"p":"x"}"#)), Ok(Vec::new()));
    assert_eq!(tools.headers("t1", None).expect_err("excluded").kind().code(), -32602);
    tools.learn(&page(&[&good, &good]), true, &mut Vec::new());
    assert!(tools.headers("t1", None).is_ok());
}

#[test]
fn mh_31_every_fault_is_told_once_and_all_other_bytes_stay() {
    let mut tools = Tools::default();
    let bad = property(r#""""#, r#""string""#);
    let result = format!(
        r#"{{ "x": 1.0, "tools" : [ {{"name":"a","n":1e400}}, {{"name":"b","inputSchema":{bad}}} ], "nextCursor":"" }}"#
    );
    let expected = r#"{ "x": 1.0, "tools" : [{"name":"a","n":1e400}], "nextCursor":"" }"#;
    let mut warnings = Vec::new();
    for _ in 0..2 {
        assert_eq!(tools.learn(&result, true, &mut warnings).as_deref(), Some(expected));
    }
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let other = result.replace(r#""x-mcp-header":"""#, r#""x-mcp-header":7"#);
    tools.learn(&other, true, &mut warnings);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
}
