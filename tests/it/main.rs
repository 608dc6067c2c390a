//! The tests that drive the real executable.

#[path = "../support/mod.rs"]
mod support;

mod architecture;
mod awkward;
mod bytes;
mod cli;
mod composio_authorize;
mod composio_documents;
mod composio_keeper;
mod composio_keys;
mod composio_migrate;
mod composio_rest;
mod composio_server;
mod composio_session;
mod composio_session_errors;
mod composio_standin;
mod composio_standin_mcp;
mod composio_urls;
mod composio_walk;
mod descriptors;
mod ending;
mod era_a;
mod era_b;
mod era_bytes;
mod era_detect;
mod era_faults;
mod era_listen;
mod era_local;
mod era_modern;
mod era_network;
mod era_start;
mod faults_both;
mod faults_http;
mod faults_sse;
mod http2;
mod local;
mod memory;
mod modern_support_works;
mod network;
mod proxies;
mod sandbox;
mod sandbox_sessions;
mod secrets;
#[cfg(unix)]
mod sign_in;
mod sign_in_digest;
mod sign_in_grants;
mod sign_in_hostile;
mod sign_in_options;
mod sign_in_running;
mod sign_in_store;
mod sse;
mod startup;
mod streamable;
mod support_works;
mod tls;

mod conformant;
mod demo;
