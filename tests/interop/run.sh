#!/bin/sh
# Real MCP clients and servers, put together through composio-bridge. Installs the pinned peers
# beside this file (Node 20 or newer and Python 3.10 or newer are needed), then runs every pair.
#
#   tests/interop/run.sh                everything
#   tests/interop/run.sh WORDS          of the legacy pairs, those whose name contains all the words
#   tests/interop/run.sh eras [WORDS]   of the matrix of eras, likewise
#   tests/interop/run.sh signin [WORDS] of the cases of signing in, likewise
#
# COMPOSIO_BRIDGE   the executable to test (its absolute path), or a command line that starts
#                   another bridge; unset: this repository's, built first
# RMCP_SERVER       the server of eras/servers/rmcp.rs, built already; unset: built first
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
built="${CARGO_TARGET_DIR:-$root/target}/debug"

if [ -z "${COMPOSIO_BRIDGE:-}" ]; then
  cargo build --quiet --manifest-path "$root/Cargo.toml" --bin composio-bridge
  COMPOSIO_BRIDGE="$built/composio-bridge"
  export COMPOSIO_BRIDGE
fi

cd "$here"
if ! cmp -s package-lock.json node_modules/.installed-from; then
  npm ci --silent --no-audit --no-fund
  cp package-lock.json node_modules/.installed-from
fi

install_python_peers() {
  for generation in v1 v2; do
    if ! cmp -s requirements-$generation.txt .venv/$generation/installed-from; then
      python3 -m venv .venv/$generation
      .venv/$generation/bin/pip install --quiet --disable-pip-version-check --requirement requirements-$generation.txt
      cp requirements-$generation.txt .venv/$generation/installed-from
    fi
  done
}

build_rust_peer() {
  [ -z "${RMCP_SERVER:-}" ] || return 0
  cargo build --quiet --manifest-path "$root/Cargo.toml" --example interop-rmcp
  export RMCP_SERVER="$built/examples/interop-rmcp"
}

case "${1:-}" in
  "")
    install_python_peers
    build_rust_peer
    failed=0
    node main.js || failed=1
    node eras/main.js || failed=1
    node sign-in/main.js || failed=1
    exit $failed
    ;;
  eras)
    shift
    build_rust_peer
    exec node eras/main.js "$@"
    ;;
  signin)
    shift
    exec node sign-in/main.js "$@"
    ;;
  *)
    install_python_peers
    exec node main.js "$@"
    ;;
esac
