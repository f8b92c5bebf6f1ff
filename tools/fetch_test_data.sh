#!/usr/bin/env bash
# Makes what tests need from other places, once:
#   build/test-data/o200k/tokenizer.json  the real vocabulary of gpt-oss, from the npm package `tiktoken`
#   build/test-data/acp/                  the Agent Client Protocol's own SDK, with its JSON schema, a checker for that, and
#                                         MCP's own SDK for servers
#   build/test-data/acp-adapters/         another agent of that protocol, for our side as its client; with `adapters` as the
#                                         argument a second one too, whose program is large (`make test-adapters`)
#   build/test-data/hf/                   a Python with `huggingface_hub`, the client whose cache ours shares
set -euo pipefail
cd "$(dirname "$0")/.."

fetch_vocabulary() {
  local out=build/test-data/o200k
  [ -s "$out/tokenizer.json" ] && return 0
  mkdir -p "$out"
  echo "test data: making the o200k vocabulary from npm's tiktoken 1.0.22" >&2
  (cd "$out" && npm pack --silent tiktoken@1.0.22 >/dev/null) || {
    echo "test data: npm could not fetch tiktoken@1.0.22; the tests on the real vocabulary need it once" >&2
    return 1
  }
  tar xzf "$out/tiktoken-1.0.22.tgz" -C "$out" package/encoders/o200k_base.json
  python3 tools/make_o200k_tokenizer.py "$out/package/encoders/o200k_base.json" "$out/tokenizer.json"
  rm -rf "$out/package" "$out/tiktoken-1.0.22.tgz"
}

# Without it the tests beside the Hub's own client are skipped, and say so.
fetch_hub_client() {
  local out=build/test-data/hf
  [ -e "$out/ready-2.4.0" ] && return 0
  echo "test data: making a Python with huggingface_hub 2.4.0" >&2
  rm -rf "$out"
  if python3 -m venv "$out" && "$out/bin/pip" install --quiet --disable-pip-version-check huggingface_hub==2.4.0; then
    touch "$out/ready-2.4.0"
  else
    echo "test data: no huggingface_hub 2.4.0 from PyPI; the tests beside it will be skipped" >&2
    rm -rf "$out"
  fi
}

# Without it the tests of `gptoss acp` with the official client are skipped, and say so.
fetch_acp_sdk() {
  local out=build/test-data/acp
  [ -e "$out/ready-2.4.0-2.4.0" ] && return 0
  rm -rf "$out"
  mkdir -p "$out"
  echo "test data: fetching npm's @agentclientprotocol/sdk 2.4.0 and @modelcontextprotocol/server 2.4.0" >&2
  if (cd "$out" && echo '{"private": true}' >package.json &&
    npm install --silent --no-audit --no-fund --ignore-scripts @agentclientprotocol/sdk@2.4.0 \
      @modelcontextprotocol/server@2.4.0 zod@4.1.12 ajv@8.17.1 >&2); then
    touch "$out/ready-2.4.0-2.4.0"
  else
    echo "test data: npm could not fetch the SDK of ACP; the tests with it will be skipped" >&2
    rm -rf "$out"
  fi
}

# Without their optional parts, the programs of their makers, they still shake hands; codex-acp does not.
fetch_acp_adapters() {
  local out=build/test-data/acp-adapters ready=ready-0.101.0
  local packages=(@agentclientprotocol/claude-agent-acp@0.101.0)
  if [ "${1:-}" = adapters ]; then
    ready=ready-0.101.0-2.6.0
    packages+=(@agentclientprotocol/codex-acp@2.6.0 "@openai/codex-linux-x64@npm:@openai/codex@0.166.0-linux-x64")
  fi
  [ -e "$out/$ready" ] || [ -e "$out/ready-0.101.0-2.6.0" ] && return 0
  rm -rf "$out"
  mkdir -p "$out"
  echo "test data: fetching npm's ${packages[*]}" >&2
  if (cd "$out" && echo '{"private": true}' >package.json &&
    npm install --silent --no-audit --no-fund --ignore-scripts --omit=optional "${packages[@]}" >&2); then
    touch "$out/$ready"
  else
    echo "test data: npm could not fetch ${packages[*]}; the tests with them will be skipped" >&2
    rm -rf "$out"
  fi
}

fetch_vocabulary
fetch_acp_sdk
fetch_acp_adapters "$@"
fetch_hub_client
