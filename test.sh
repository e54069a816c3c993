#!/usr/bin/env bash
# Installs what the tests need, builds, runs every test, and ends with one line: N passed, N failed.
set -uo pipefail
cd "$(dirname "$0")"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
unset GOVERNANCE_TEST_POSTGRES
# Most of a test is start-up: code is compiled once and not again when it turns out to be hot; half of what runs waits.
export DOTNET_TieredPGO=0 DOTNET_TC_CallCounting=0
threads="-maxThreads 3"
long=0
[ "${1:-}" = "--long" ] && long=1

need() { # command, Debian package
  command -v "$1" >/dev/null 2>&1 || packages="${packages:-} $2"
}
need openssl openssl
need node nodejs
need npm npm
need python3 python3
need curl curl
need chromium chromium
[ -e /usr/lib/python3/dist-packages/cryptography ] || packages="${packages:-} python3-cryptography"
[ -e /usr/bin/python3 ] || packages="${packages:-} python3"
need jq jq
need softhsm2-util softhsm2
[ -e /usr/lib/python3/dist-packages/swift/proxy/server.py ] || packages="${packages:-} python3-swift"
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || packages="${packages:-} postgresql"
if [ -n "${packages:-}" ]; then
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null || exit 1
fi

dotnet tool restore >/dev/null || exit 1
dotnet csharpier check . || { echo "Run: dotnet csharpier format ."; exit 1; }
(
  for peer in tests/peers/*/package.json; do
    (cd "$(dirname "$peer")" && npm ci --ignore-scripts --no-audit --no-fund --silent) || exit 1
  done
) &
peers=$!
dotnet build Governance.sln -v q --nologo || exit 1
wait "$peers" || exit 1

results=$(mktemp -d)
run() { # name, command…
  local name=$1 log started=$SECONDS
  shift
  log=$(mktemp)
  "$@" >"$log" 2>&1
  local code=$?
  # Others run beside it: what it says stands together.
  report "$name" "$log" "$code" >"$results/$name.text"
  echo "== $name, $((SECONDS - started)) s"
  cat "$results/$name.text"
}
report() { # name, log, exit code
  local name=$1 log=$2 code=$3
  grep -aE '\[FAIL\]|SUMMARY|Total:|FAIL ' "$log" | sed 's/\x1b\[[0-9;]*m//g'
  local summary total bad skipped
  summary=$(sed 's/\x1b\[[0-9;]*m//g' "$log" | grep -aoE 'Total: [0-9]+, Errors: [0-9]+, Failed: [0-9]+, Skipped: [0-9]+' | tail -n 1)
  if [ -z "$summary" ]; then
    tail -n 40 "$log"
    echo "0 1" >"$results/$name.count"
    return
  fi
  total=$(echo "$summary" | sed -E 's/Total: ([0-9]+).*/\1/')
  bad=$(echo "$summary" | sed -E 's/.*Errors: ([0-9]+), Failed: ([0-9]+), Skipped: ([0-9]+)/\1+\2+\3/')
  bad=$((bad))
  [ "$total" -eq 0 ] && echo "No test ran." && bad=1
  [ "$code" -ne 0 ] && [ "$bad" -eq 0 ] && bad=1
  [ "$bad" -gt 0 ] && sed 's/\x1b\[[0-9;]*m//g' "$log" | grep -aA25 '\[FAIL\]' | head -n 200
  echo "$((total - bad)) $bad" >"$results/$name.count"
  rm -f "$log"
}

# A PostgreSQL of our own for as long as this script runs: no network address, nothing kept, no care for power loss. In memory when
# there is room: every test makes a database of some 300 files and removes it again.
postgres_home=/dev/shm
[ "$(df --output=avail -k "$postgres_home" 2>/dev/null | tail -n 1)" -gt 4000000 ] 2>/dev/null || postgres_home=/tmp
postgres_root=$(mktemp -d "$postgres_home/governance-postgres-XXXXXX")
postgres_bin=$(dirname "$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1)")
as_postgres() {
  if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}
stop_postgres() {
  as_postgres "$postgres_bin/pg_ctl" -D "$postgres_root/data" -m immediate stop >/dev/null 2>&1
  rm -rf "$postgres_root"
}
start_postgres() {
  trap stop_postgres EXIT
  [ "$(id -u)" = 0 ] && chown postgres "$postgres_root"
  (
    cd "$postgres_root" &&
      as_postgres "$postgres_bin/initdb" -D data -A trust -U postgres -E UTF8 --locale=C.UTF-8 >/dev/null &&
      as_postgres "$postgres_bin/pg_ctl" -w -D "$postgres_root/data" -l "$postgres_root/log" -o "-c listen_addresses= \
        -c unix_socket_directories=$postgres_root -c fsync=off -c full_page_writes=off -c max_connections=400 \
        -c max_pred_locks_per_transaction=256 -c max_wal_size=512MB -c log_min_messages=fatal" start >/dev/null
  ) || { echo "PostgreSQL did not start"; exit 1; }
}

[ "$long" = 1 ] && export GOVERNANCE_LONG_TESTS=1
tests() { # name, arguments…
  local name=$1 project=${1%% *}
  shift
  # shellcheck disable=SC2086
  run "$name" "artifacts/bin/$project/debug/$project" -noColor $threads "$@"
}
# Every project, and once more on PostgreSQL what touches the database, without what holds no row: bytes, forms, wires.
modules=()
for module in Audit Compliance Evidence Identity Lineage Platform Privacy Registry Signing; do
  modules+=(-namespace "Governance.Tests.$module")
done
for class in Compliance.ReportFormTests Lineage.WalkTests Platform.S3BlobStoreTests Privacy.TextDetectorTests \
  Registry.RemoteMlflowTests Signing.IdentityBundleTests; do
  modules+=(-class- "Governance.Tests.$class")
done
live=(-namespace Governance.Gateway.Tests.Live)
for class in Demo MlflowAdvisories Wire Certificate FirstStart Kit SecondVerifier StockClient; do
  live+=(-class- "Governance.Gateway.Tests.Live.${class}Tests")
done
live+=(-method- 'Governance.Gateway.Tests.Live.StartTests.A*' -method- 'Governance.Gateway.Tests.Live.StartTests.The_demo*')

# Three at a time: half of what each does is waiting.
start_postgres
postgres="Host=$postgres_root;Username=postgres;Database=postgres"
(
  tests Governance.ArchitectureTests
  tests Governance.Tests
  export GOVERNANCE_TEST_POSTGRES=$postgres
  tests "Governance.Tests on PostgreSQL" "${modules[@]}"
) &
(
  tests Governance.Gateway.Tests
  export GOVERNANCE_TEST_POSTGRES=$postgres
  tests "Governance.Gateway.Tests on PostgreSQL" "${live[@]}"
) &
(
  tests Governance.Cli.Tests
  tests Governance.Pages.Tests
  export GOVERNANCE_TEST_POSTGRES=$postgres
  tests Governance.EndToEnd.Tests
  tests Governance.PostgreSql.Tests
) &
wait

# A project that nobody named, or a run that left no count, is a failure.
expected=$(ls -d tests/*Tests | wc -l)
read -r passed failed count < <(cat "$results"/*.count | awk '{p += $1; f += $2} END {print p + 0, f + 0, NR}')
[ "$count" -eq $((expected + 2)) ] || { echo "$count of $((expected + 2)) runs ended."; failed=$((failed + 1)); }
rm -rf "$results"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
