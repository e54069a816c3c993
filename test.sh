#!/usr/bin/env bash
# Installs what the tests need, builds, runs every test, and ends with one line: N passed, N failed.
set -uo pipefail
cd "$(dirname "$0")"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
long=0
[ "${1:-}" = "--long" ] && long=1

need() { # command, Debian package
  command -v "$1" >/dev/null 2>&1 || packages="${packages:-} $2"
}
need openssl openssl
need node nodejs
need npm npm
need python3 python3
if [ -n "${packages:-}" ]; then
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null || exit 1
fi

dotnet tool restore >/dev/null || exit 1
dotnet csharpier check . || { echo "Run: dotnet csharpier format ."; exit 1; }
for peer in tests/peers/*/; do
  (cd "$peer" && npm ci --ignore-scripts --no-audit --no-fund --silent) || exit 1
done
dotnet build Governance.sln -v q --nologo || exit 1

passed=0
failed=0
run() { # name, command…
  local name=$1 log
  shift
  log=$(mktemp)
  echo "== $name"
  "$@" >"$log" 2>&1
  local code=$?
  grep -E '\[FAIL\]|SUMMARY|Total:|FAIL ' "$log" | sed 's/\x1b\[[0-9;]*m//g'
  local summary total bad skipped
  summary=$(sed 's/\x1b\[[0-9;]*m//g' "$log" | grep -oE 'Total: [0-9]+, Errors: [0-9]+, Failed: [0-9]+, Skipped: [0-9]+' | tail -n 1)
  if [ -z "$summary" ]; then
    tail -n 40 "$log"
    failed=$((failed + 1))
    return
  fi
  total=$(echo "$summary" | sed -E 's/Total: ([0-9]+).*/\1/')
  bad=$(echo "$summary" | sed -E 's/.*Errors: ([0-9]+), Failed: ([0-9]+), Skipped: ([0-9]+)/\1+\2+\3/')
  bad=$((bad))
  [ "$total" -eq 0 ] && echo "No test ran." && bad=1
  [ "$code" -ne 0 ] && [ "$bad" -eq 0 ] && bad=1
  [ "$bad" -gt 0 ] && sed 's/\x1b\[[0-9;]*m//g' "$log" | grep -A25 '\[FAIL\]' | head -n 200
  passed=$((passed + total - bad))
  failed=$((failed + bad))
  rm -f "$log"
}

[ "$long" = 1 ] && export GOVERNANCE_LONG_TESTS=1
for project in tests/*.Tests tests/*.ArchitectureTests; do
  name=$(basename "$project")
  run "$name" "artifacts/bin/$name/debug/$name" -noColor
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
