//! JSON that a bridge which parses and prints again would change.

/// Values that are legal JSON and awkward.
pub fn values() -> Vec<String> {
    let mut all: Vec<String> =
        NUMBERS.iter().chain(STRINGS).chain(SHAPES).map(|&s| s.to_owned()).collect();
    all.push(format!("{}{}", "[".repeat(200), "]".repeat(200)));
    all.push(format!("{}1{}", r#"{"deep":"#.repeat(200), "}".repeat(200)));
    all.push(format!("{}{}", r#"[{"mixed":"#.repeat(100) + "null", "}]".repeat(100)));
    all.push(format!("[{}0]", "1e400,".repeat(1000)));
    all.push(format!("\"{}\"", "é😀\\u00e9".repeat(5000)));
    all.push(format!("{{{}\"z\":0}}", r#""same":1,"#.repeat(300)));
    all
}

/// Request ids that are legal and awkward.
pub fn ids() -> Vec<String> {
    let mut all: Vec<String> = IDS.iter().map(|&s| s.to_owned()).collect();
    all.push(format!("\"{}\"", "long".repeat(2000)));
    all.push("9".repeat(400));
    all
}

const IDS: &[&str] = &[
    "0",
    "-1",
    "7",
    "\"7\"",
    "\"\"",
    "\" \"",
    "\"null\"",
    "\"é\"",
    "\"e\\u0301\"",
    "\"\\u0061\"",
    "\"\\/\"",
    "\"\\ud83d\\ude00\"",
    "\"😀\"",
    "\"\\\"quoted\\\"\"",
    "\"line\\nbreak\"",
    "\"\\u0000\"",
    "9007199254740993",
    "-9007199254740993",
    "18446744073709551616",
    "123456789012345678901234567890",
    "1.0",
    "1.50",
    "1e3",
    "1E+3",
    "-0",
    "\"composio-bridge-1\"",
    "\"composio-bridge-0\"",
    "\"00000000-0000-4000-8000-000000000000\"",
    "\"{\\\"id\\\":1}\"",
];

const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "-0.0",
    "0.0",
    "1.0",
    "1.10",
    "100e-2",
    "1E+2",
    "1e2",
    "1e-7",
    "1e400",
    "-1e400",
    "1e-400",
    "9007199254740993",
    "-9007199254740993",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211457",
    "3.14159265358979323846264338327950288",
    "0.1000000000000000055511151231257827",
    "5e-324",
    "1.7976931348623159e308",
    "123456789012345678901234567890.123456789012345678901234567890",
];

const STRINGS: &[&str] = &[
    r#""""#,
    r#""\u0000""#,
    r#""\u001f""#,
    r#""\ud800""#,
    r#""\udfff""#,
    r#""\udc00\ud800""#,
    r#""\ud800x""#,
    r#""\uD83D\uDE00""#,
    r#""\ud83d\ude00""#,
    "\"😀\"",
    "\"é\"",
    r#""\u00e9""#,
    r#""\u00E9""#,
    r#""e\u0301""#,
    "\"e\u{301}\"",
    "\"\u{2028}\u{2029}\"",
    r#""\u2028\u2029""#,
    "\"\u{feff}\"",
    "\"\u{7f}\u{80}\u{9f}\"",
    "\"\u{fffd}\u{ffff}\"",
    r#""\/""#,
    r#""/""#,
    r#""\"\\\b\f\n\r\t""#,
    r#""\\u0041""#,
    r#""\u0041""#,
    r#""<script>&amp;</script>""#,
    r#""data: x""#,
    r#""\r\ndata: x\r\n\r\nevent: message""#,
    r#""null""#,
    r#""true""#,
    r#""1""#,
    "\"تجربة עברית 日本語\"",
    "\"\u{10ffff}\"",
];

const SHAPES: &[&str] = &[
    "null",
    "true",
    "false",
    "{}",
    "[]",
    "[[]]",
    "[{}]",
    "{\"\":{\"\":\"\"}}",
    "[null,null]",
    r#"{"a":1,"a":2}"#,
    r#"{"a":{"x":1},"b":0,"a":{"y":2}}"#,
    r#"{"a":1,"\u0061":2}"#,
    r#"{"z":1,"a":2,"m":3,"A":4,"0":5,"10":6,"9":7}"#,
    r#"{"__proto__":{"x":1},"constructor":null}"#,
    r#"{ "spaced" :	[ 1 ,2, 3 ] , "x":{ } }"#,
    "[ ]",
    "{ }",
    r#"{"\ud800":"lone key"}"#,
    r#"{"jsonrpc":"1.0","id":99,"method":"inner","result":{},"error":{}}"#,
    r#"{"_meta":{"progressToken":1e400,"vendor.example/x":[1.0]},"cursor":null}"#,
    r#"{"type":"object","properties":{"n":{"type":"integer","minimum":-9223372036854775809}},"$defs":{},"x-order":[3,1,2]}"#,
    r#"{"content":[{"type":"vendor/unknown","blob":"AAAA","n":1.0},{"type":"text","text":"\ud83d"}],"isError":null}"#,
    r#"[1,1.0,"1",true,null,{"1":1},[1]]"#,
];
