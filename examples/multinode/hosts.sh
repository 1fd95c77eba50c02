#!/bin/bash
# Three hosts on this machine, as network namespaces on one bridge: a, b and c are 10.90.0.1, .2 and .3.
#
#   hosts.sh up                         makes them; needs root
#   hosts.sh run HOST COMMAND…          runs a command on a host
#   hosts.sh start HOST NAME COMMAND…   the same in the background, under a name
#   hosts.sh wait NAME TEXT             waits until its log has the text, a minute at most
#   hosts.sh log NAME                   prints its log
#   hosts.sh stop NAME [SIGNAL]         ends it, by SIGTERM or another signal, and waits for its end
#   hosts.sh cut HOST, hosts.sh heal HOST    takes a host off the network, and puts it back
#   hosts.sh down                       ends everything and removes the hosts
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
state=${STATOR_HOSTS:-/tmp/stator-hosts}
bridge=stator0
export PATH="$here/bin:$PATH:/usr/sbin"

number() {
  case $1 in
    a) echo 1 ;; b) echo 2 ;; c) echo 3 ;;
    *) echo "There is no host $1: they are a, b and c." >&2; exit 2 ;;
  esac
}

pid_of() {
  [ -e "$state/$1.pid" ] || { echo "Nothing was started under the name $1." >&2; exit 2; }
  cat "$state/$1.pid"
}

# Whether a process runs; one that nobody has waited for yet does not.
runs() {
  grep -qs '^State:.[^Z]' "/proc/$1/status"
}

command=${1:-help}
[ $# -gt 0 ] && shift
case $command in
  up)
    if ip link show $bridge >/dev/null 2>&1; then
      echo "The hosts are there already; hosts.sh down removes them." >&2
      exit 2
    fi
    mkdir -p "$state"
    ip link add $bridge type bridge
    ip addr add 10.90.0.254/24 dev $bridge
    ip link set $bridge up
    for host in a b c; do
      ip netns add stator-$host
      ip link add stator-$host type veth peer name eth0 netns stator-$host
      ip link set stator-$host master $bridge up
      ip -n stator-$host addr add 10.90.0.$(number $host)/24 dev eth0
      ip -n stator-$host link set eth0 up
      ip -n stator-$host link set lo up
    done
    ;;
  run)
    number "$1" >/dev/null
    exec ip netns exec "stator-$1" "${@:2}"
    ;;
  start)
    number "$1" >/dev/null
    setsid ip netns exec "stator-$1" "${@:3}" >"$state/$2.log" 2>&1 </dev/null &
    echo $! >"$state/$2.pid"
    ;;
  wait)
    pid=$(pid_of "$1")
    for _ in $(seq 600); do
      grep -q -- "$2" "$state/$1.log" && exit 0
      runs "$pid" || break
      sleep 0.1
    done
    grep -q -- "$2" "$state/$1.log" && exit 0
    cat "$state/$1.log" >&2
    echo "$1 has ended, or taken longer than a minute, without '$2' in its log." >&2
    exit 1
    ;;
  log)
    pid_of "$1" >/dev/null
    cat "$state/$1.log"
    ;;
  stop)
    pid=$(pid_of "$1")
    kill "-${2:-TERM}" "$pid" 2>/dev/null || true
    while runs "$pid"; do sleep 0.1; done
    rm -f "$state/$1.pid"
    ;;
  cut) ip link set "stator-$1" down ;;
  heal) ip link set "stator-$1" up ;;
  down)
    for file in "$state"/*.pid; do
      [ -e "$file" ] || continue
      kill -KILL "$(cat "$file")" 2>/dev/null || true
      while runs "$(cat "$file")"; do sleep 0.1; done
    done
    for host in a b c; do
      # Deleting the namespace alone removes its cable only some time later.
      ip link delete stator-$host 2>/dev/null || true
      ip netns delete stator-$host 2>/dev/null || true
    done
    ip link delete $bridge 2>/dev/null || true
    rm -rf "$state"
    ;;
  *)
    sed -n '2,13s/^# \{0,1\}//p' "$0"
    ;;
esac
