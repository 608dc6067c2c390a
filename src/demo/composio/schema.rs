//! The shapes of the requests' bodies, as Composio documents them.

use super::shape::{
    Member,
    Shape::{self, *},
};

const TEXT: Shape = Text(0);
const TEXTS: Shape = List(&TEXT);

/// The body of the operations that need none.
pub(super) const NOTHING: &[Member] = &[];

const TOOLKITS: Shape = Either(&[
    Object(&[("enable", true, TEXTS), ("require_approval", false, TEXTS)]),
    Object(&[("disable", true, TEXTS), ("require_approval", false, TEXTS)]),
    Object(&[("require_approval", true, TEXTS)]),
]);

const TAG: Shape = OneOf(&[
    "readOnlyHint",
    "destructiveHint",
    "idempotentHint",
    "openWorldHint",
    "createHint",
    "updateHint",
]);

const TAGS: Shape = Either(&[
    List(&TAG),
    Object(&[
        ("enable", false, List(&TAG)),
        ("disable", false, List(&TAG)),
        ("require_approval", false, List(&TAG)),
    ]),
]);

const TOOLS: Shape = Map(&Either(&[
    Object(&[("enable", true, TEXTS), ("require_approval", false, TEXTS)]),
    Object(&[("disable", true, TEXTS), ("require_approval", false, TEXTS)]),
    Object(&[("tags", true, TAGS), ("require_approval", false, TEXTS)]),
    Object(&[("require_approval", true, TEXTS)]),
]));

const HOOKS: Shape = List(&Object(&[
    ("type", true, OneOf(&["before_execute", "after_execute"])),
    ("id", true, TEXT),
    ("name", false, TEXT),
    ("applies_to", true, Either(&[OneOf(&["all"]), Object(&[("toolkits", true, TEXTS)])])),
    (
        "handler",
        true,
        Object(&[
            ("type", true, OneOf(&["condition_check", "prompt_injection_check"])),
            ("condition", false, Any),
            ("action", true, OneOf(&["block"])),
        ]),
    ),
]));

const PERMISSIONS: Shape = Object(&[
    ("default", true, OneOf(&["allow_all", "ask_every_call", "ask_once_per_session"])),
    ("overrides", false, Map(&OneOf(&["always_allow", "always_deny", "ask_once", "ask_always"]))),
]);

const EXPERIMENTAL: Shape = Object(&[
    ("assistive_prompt_config", false, Object(&[("user_timezone", false, TEXT)])),
    ("custom_tools", false, List(&Any)),
    ("custom_toolkits", false, List(&Any)),
    ("link_url_overwrite", false, TEXT),
    ("permissions", false, PERMISSIONS),
    ("fast_mode", false, Flag),
    ("submit_feedback", false, Object(&[("enable", false, Flag)])),
    ("restrict_egress_to_composio", false, Flag),
    ("no_elicitation_support_fallback", false, OneOf(&["deny", "allow"])),
    ("session_config_id", false, Id("sc_")),
]);

/// The blocks of a session, which `PATCH` takes too.
macro_rules! session_blocks {
    ($($before:expr),*) => {
        &[
            $($before,)*
            ("toolkits", false, TOOLKITS),
            ("tools", false, TOOLS),
            ("tags", false, TAGS),
            ("auth_configs", false, Map(&Id("ac_"))),
            ("connected_accounts", false, Map(&List(&Id("ca_")))),
            (
                "manage_connections",
                false,
                Object(&[
                    ("enable", false, Flag),
                    ("callback_url", false, TEXT),
                    ("enable_connection_removal", false, Flag),
                    ("enable_wait_for_connections", false, Flag),
                ]),
            ),
            (
                "workbench",
                false,
                Object(&[
                    ("enable", false, Flag),
                    ("enable_proxy_execution", false, Flag),
                    ("enable_tool_execution", false, Flag),
                    ("auto_offload_threshold", false, Number(0, u32::MAX)),
                    ("sandbox_size", false, OneOf(&["standard", "medium", "large", "xlarge"])),
                ]),
            ),
            ("proxy_execute", false, Object(&[("enable", true, Flag)])),
            (
                "multi_account",
                false,
                Object(&[
                    ("enable", false, Flag),
                    ("max_accounts_per_toolkit", false, Number(2, 10)),
                    ("require_explicit_selection", false, Flag),
                ]),
            ),
            ("preload", false, Object(&[("tools", false, Either(&[OneOf(&["all"]), TEXTS]))])),
            ("search", false, Object(&[("enable", false, Flag)])),
            ("execute", false, Object(&[("enable_multi_execute", false, Flag)])),
            (
                "instant",
                false,
                Either(&[
                    Flag,
                    Object(&[
                        ("toolkits", false, Any),
                        ("tools", false, Any),
                        ("return_instant_charge", false, Flag),
                        ("return_prices_in_search", false, Flag),
                    ]),
                ]),
            ),
            ("hooks", false, HOOKS),
            ("experimental", false, EXPERIMENTAL),
        ]
    };
}

pub(super) const CREATE: &[Member] = session_blocks!(("user_id", true, TEXT));

pub(super) const PATCH: &[Member] = session_blocks!();

pub(super) const ATTACH: &[Member] = &[(
    "experimental",
    false,
    Object(&[("custom_tools", false, List(&Any)), ("custom_toolkits", false, List(&Any))]),
)];

pub(super) const LINK: &[Member] = &[
    ("toolkit", true, TEXT),
    ("alias", false, TEXT),
    ("callback_url", false, TEXT),
    (
        "experimental",
        false,
        Object(&[
            ("account_type", false, OneOf(&["PRIVATE", "SHARED"])),
            ("acl_config_for_shared", false, Any),
        ]),
    ),
];

const INPUT_RESPONSES: Shape = Map(&Object(&[
    ("action", true, OneOf(&["accept", "decline", "cancel"])),
    ("content", false, Any),
]));

pub(super) const EXECUTE: &[Member] = &[
    ("tool_slug", true, TEXT),
    ("arguments", false, Map(&Any)),
    ("account", false, TEXT),
    ("enable_auto_workbench_offload", false, Flag),
    ("input_responses", false, INPUT_RESPONSES),
    ("request_state", false, TEXT),
    ("experimental", false, Any),
];

pub(super) const EXECUTE_META: &[Member] = &[
    (
        "slug",
        true,
        OneOf(&[
            "COMPOSIO_SEARCH_TOOLS",
            "COMPOSIO_GET_TOOL_SCHEMAS",
            "COMPOSIO_MULTI_EXECUTE_TOOL",
            "COMPOSIO_MANAGE_CONNECTIONS",
            "COMPOSIO_WAIT_FOR_CONNECTIONS",
            "COMPOSIO_REMOTE_WORKBENCH",
            "COMPOSIO_REMOTE_BASH_TOOL",
        ]),
    ),
    ("arguments", false, Map(&Any)),
    ("input_responses", false, INPUT_RESPONSES),
    ("request_state", false, TEXT),
];

pub(super) const SEARCH: &[Member] = &[
    (
        "queries",
        true,
        List(&Object(&[("use_case", true, Text(1024)), ("known_fields", false, Text(500))])),
    ),
    ("experimental", false, Any),
    ("model", false, TEXT),
    ("search_strategy", false, OneOf(&["auto", "tool_search"])),
];

/// What a request through the proxy is made of, of which the facts tell little.
pub(super) const PROXY: &[Member] = &[
    ("toolkit_slug", false, TEXT),
    ("toolkit", false, TEXT),
    ("connected_account_id", false, Id("ca_")),
    ("account", false, TEXT),
    ("endpoint", true, TEXT),
    ("method", true, OneOf(&["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"])),
    ("body", false, Any),
    ("binary_body", false, Any),
    ("parameters", false, List(&Any)),
];

pub(super) const FILE: &[Member] =
    &[("mount_relative_path", true, TEXT), ("mimetype", false, TEXT)];

pub(super) const SERVER_CREATE: &[Member] = &[
    ("name", true, Name),
    ("auth_config_ids", true, List(&Id("ac_"))),
    ("no_auth_apps", false, TEXTS),
    ("allowed_tools", false, TEXTS),
    ("managed_auth_via_composio", false, Flag),
];

pub(super) const SERVER_CUSTOM: &[Member] = &[
    ("name", true, Name),
    ("auth_config_ids", false, List(&Id("ac_"))),
    ("toolkits", false, TEXTS),
    ("allowed_tools", false, TEXTS),
    ("custom_tools", false, TEXTS),
    ("managed_auth_via_composio", false, Flag),
];

pub(super) const SERVER_PATCH: &[Member] = &[
    ("name", false, Name),
    ("auth_config_ids", false, List(&Id("ac_"))),
    ("toolkits", false, TEXTS),
    ("allowed_tools", false, TEXTS),
    ("managed_auth_via_composio", false, Flag),
];

pub(super) const GENERATE: &[Member] = &[
    ("mcp_server_id", true, TEXT),
    ("user_ids", false, TEXTS),
    ("connected_account_ids", false, List(&Id("ca_"))),
    ("managed_auth_by_composio", false, Flag),
];

pub(super) const INSTANCE: &[Member] = &[("user_id", true, TEXT)];
