#!/usr/bin/env bash
# demo.sh [BIN]: a registry, two providers and a consumer that finds them, on free ports of this machine; then one
# provider is killed and comes back. BIN is where the programs are. Ends with status 0 if all of it went as told.
set -euo pipefail

bin=${1:-$(dirname "$0")/../../build/bin}
work=$(mktemp -d)
registry_pid='' first_pid='' second_pid='' consumer_pid=''

stop_all() {
  local pid
  for pid in "$consumer_pid" "$first_pid" "$second_pid" "$registry_pid"; do
    [[ -z $pid ]] || kill "$pid" 2>/dev/null || true
  done
  wait
  rm -rf "$work"
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step() { printf '\n\033[1m-- %s\033[0m\n' "$*"; }
tell() { printf '   %s\n' "$*"; }
show() { sed 's/^/      /'; }
fail() {
  printf '\ndemo: %s\n' "$1" >&2
  local log
  for log in "$work"/*.log; do
    printf '  %s:\n' "${log##*/}" >&2
    tail -n 12 "$log" | sed 's/^/    /' >&2
  done
  exit 1
}
# run COMMAND…: says what is run, and shows what it prints.
run() {
  printf '   $ %s\n' "${*##*/bin/}"
  "$@" 2>&1 | show
}

# within SECONDS COMMAND…: waits until the command succeeds.
within() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < end)) || return 1
    sleep 0.05
  done
}
# A port on which nothing listens. Another program may take it first; then the start that follows says so.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}
alive() { kill -0 "$1" 2>/dev/null; }
registry_ready() { alive "$registry_pid" && grep -q 'ready to serve client requests' "$work/registry.log"; }
registered() { "$bin/minigrpc" --endpoints "$registry" get --prefix --keys-only ProdService/ | grep -q "$1"; }
answered_by() { grep -qs "$2 answered" "$work/$1.log"; }
has_registered() { grep -qs ' registered ' "$work/$1.log"; }

start_first() {
  "$bin/provider" --listen "$first" --registry "$registry" >"$work/first.log" 2>&1 &
  first_pid=$!
}
# start_second LOG
start_second() {
  "$bin/provider" --listen "$second" --registry "$registry" >"$work/$1.log" 2>&1 &
  second_pid=$!
}

registry=127.0.0.1:$(free_port)
first=127.0.0.1:$(free_port)
second=127.0.0.1:$(free_port)

step "1. The registry"
tell "minigrpcd speaks the etcd v3 API and keeps its data in $work/registry, which goes away with this demo."
tell "\$ minigrpcd --listen-client-urls http://$registry"
"$bin/minigrpcd" --data-dir "$work/registry" --listen-client-urls "http://$registry" \
  --advertise-client-urls "http://$registry" >"$work/registry.log" 2>&1 &
registry_pid=$!
within 20 registry_ready || fail "the registry did not start"
show <"$work/registry.log"

step "2. Two providers"
tell "Each serves ProdService on a port of its own, and announces itself in the registry once it listens."
tell "\$ provider --listen $first --registry $registry &"
start_first
tell "\$ provider --listen $second --registry $registry &"
start_second second
within 20 registered "$first" || fail "the first provider did not register"
within 20 registered "$second" || fail "the second provider did not register"
tell "What they wrote, in the format of etcd's own Go naming:"
run "$bin/minigrpc" --endpoints "$registry" get --prefix ProdService/
tell "The same as a table. Each key hangs on a lease that its provider keeps alive: no provider, no key."
run "$bin/minigrpc" --endpoints "$registry" services

step "3. A consumer"
tell "It knows the registry and the name ProdService, no address. It asks for the stock of product 4."
run "$bin/consumer" --registry "$registry" --id 4 | tee "$work/answer.log"
[[ $(tail -n 1 "$work/answer.log" | tr -d ' ') == 80 ]] || fail "the answer was not 80"

step "4. Many calls, one provider killed"
tell "The calls go to both providers in turn (round_robin), one every 100 ms."
tell "\$ consumer --registry $registry --id 4 --count 60 --interval 100ms &"
"$bin/consumer" --registry "$registry" --id 4 --count 60 --interval 100ms >"$work/consumer.log" 2>&1 &
consumer_pid=$!
within 10 answered_by consumer "$first" || fail "the first provider did not answer"
within 10 answered_by consumer "$second" || fail "the second provider did not answer"
head -n 6 "$work/consumer.log" | show
tell "\$ kill -9 the provider on $second"
killed_at=$(wc -l <"$work/consumer.log")
kill -9 "$second_pid"
wait "$second_pid" 2>/dev/null || true
second_pid=''
tell "Nobody keeps its lease alive any more: when that ends, its key goes."
run "$bin/minigrpc" --endpoints "$registry" services
wait "$consumer_pid" || fail "the consumer failed"
consumer_pid=''
tell "Meanwhile the consumer went on with the other one:"
tail -n +"$((killed_at + 1))" "$work/consumer.log" | head -n 6 | show
tell "… and ended with:"
tail -n 1 "$work/consumer.log" | show
[[ $(tail -n 1 "$work/consumer.log") == 80 ]] || fail "the consumer's last answer was not 80"

step "5. It comes back"
tell "\$ provider --listen $second --registry $registry &"
start_second second-again
# Its old key may still stand there, so ask the provider, not the registry.
within 60 has_registered second-again || fail "the second provider did not register again"
run "$bin/minigrpc" --endpoints "$registry" services
"$bin/consumer" --registry "$registry" --id 4 --count 10 --interval 50ms >"$work/again.log" 2>&1 || fail "the consumer failed"
show <"$work/again.log"
if ! answered_by again "$first" || ! answered_by again "$second"; then fail "not both providers answered"; fi

step "6. The end"
tell "On SIGTERM a provider withdraws its key first, lets the calls in flight finish, and exits."
kill -TERM "$first_pid" "$second_pid"
wait "$first_pid" || fail "the first provider did not end cleanly"
wait "$second_pid" || fail "the second provider did not end cleanly"
first_pid='' second_pid=''
tell "Nobody is registered any more:"
run "$bin/minigrpc" --endpoints "$registry" services
kill -TERM "$registry_pid"
wait "$registry_pid" || fail "the registry did not end cleanly"
registry_pid=''

step "Done: the consumer found its provider by name, and lost nothing when one of two died."
tell "The code is in examples/prod/provider.cc and examples/prod/consumer.cc."
