#!/usr/bin/env bash
# TLS, mutual TLS and bearer tokens: nginx in front of the cluster. What is in order works; what is not is said in words that a
# person can act on, and the build goes on in the sandbox.
E2E_REMOTE=own
source "$(dirname -- "$0")/lib.sh"
source "$here/remote.sh"
nginx=$(PATH=$PATH:/usr/sbin:/sbin command -v nginx) || fail "no nginx (Debian: nginx-light); run scripts/setup.sh"
pki=$T/pki
mkdir -p "$pki" "$T/nginx" "$T/tokens"

# ---- certificates

cat >"$pki/openssl.cnf" <<'CNF'
[ca]
default_ca = test_ca
[test_ca]
database = $ENV::DATABASE
serial = $ENV::DATABASE.serial
new_certs_dir = $ENV::NEW_CERTS
default_md = sha256
policy = any
unique_subject = no
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
basicConstraints = CA:FALSE
subjectAltName = $ENV::SAN
[req]
distinguished_name = name
x509_extensions = authority
[name]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
CNF

# authority NAME
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config "$pki/openssl.cnf" -subj "/CN=test $1" -days 2 \
    -keyout "$pki/$1.key" -out "$pki/$1.pem"
  : >"$pki/$1.db"
  mkdir -p "$pki/$1.new"
}

# certificate NAME AUTHORITY SUBJECT-ALTERNATIVE-NAME [expired]
certificate() {
  local from to
  from=$(date -u -d '-2 days' +%Y%m%d%H%M%SZ) to=$(date -u -d '+2 days' +%Y%m%d%H%M%SZ)
  [ "${4-}" != expired ] || to=$(date -u -d '-1 day' +%Y%m%d%H%M%SZ)
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config "$pki/openssl.cnf" -subj "/CN=$1" \
    -keyout "$pki/$1.key" -out "$pki/$1.csr"
  openssl ca -batch -notext -rand_serial -config "$pki/openssl.cnf" -cert "$pki/$2.pem" -keyfile "$pki/$2.key" \
    -startdate "$from" -enddate "$to" -in "$pki/$1.csr" -out "$pki/$1.pem"
}

make_certificates() {
  export SAN=DNS:none DATABASE=$pki/ca.db NEW_CERTS=$pki/ca.new
  authority ca
  authority stranger
  SAN=DNS:localhost,IP:127.0.0.1 certificate server ca x
  SAN=DNS:localhost,IP:127.0.0.1 certificate old ca x expired
  SAN=DNS:elsewhere.example certificate elsewhere ca x
  SAN=DNS:client certificate client ca x
  SAN=DNS:client certificate old-client ca x expired
  export DATABASE=$pki/stranger.db NEW_CERTS=$pki/stranger.new
  SAN=DNS:localhost,IP:127.0.0.1 certificate strange stranger x
  SAN=DNS:client certificate strange-client stranger x
  unset SAN DATABASE NEW_CERTS
}
make_certificates >"$T/openssl.log" 2>&1 || fail "openssl: $(cat "$T/openssl.log")"
[ -s "$pki/strange-client.pem" ] || fail "openssl: $(cat "$T/openssl.log")"

# ---- the servers

casd_start "$T/casd"
declare -A port
for s in good old elsewhere strange mutual token; do
  port[$s]=$(casd_free_port)
  while [ "${port[$s]}" = "$casd_port" ] || [ "$(printf '%s\n' "${port[@]}" | sort | uniq -d)" ]; do port[$s]=$(casd_free_port); done
done
server() { # server NAME CERTIFICATE [DIRECTIVES]
  cat <<NGINX
  server {
    listen 127.0.0.1:${port[$1]} ssl http2;
    ssl_certificate $pki/$2.pem;
    ssl_certificate_key $pki/$2.key;
    ${3-}
    location / {
      ${4-}
      grpc_pass grpc://127.0.0.1:$casd_port;
    }
  }
NGINX
}
{
  cat <<NGINX
daemon off;
master_process off;
pid $T/nginx/pid;
error_log $T/run/nginx.log info;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path $T/nginx/body;
  proxy_temp_path $T/nginx/proxy;
  fastcgi_temp_path $T/nginx/fastcgi;
  uwsgi_temp_path $T/nginx/uwsgi;
  scgi_temp_path $T/nginx/scgi;
  client_max_body_size 0;
  http2_max_concurrent_streams 512;
  keepalive_requests 1000000;
  grpc_read_timeout 300s;
  # a token is good when there is a file of its name
  map \$http_authorization \$token {
    "~^Bearer (?<name>[a-z0-9]+)\$" \$name;
    default none;
  }
NGINX
  server good server
  server old old
  server elsewhere elsewhere
  server strange strange
  server mutual server "ssl_client_certificate $pki/ca.pem; ssl_verify_client on;"
  server token server "" "if (!-f $T/tokens/\$token) { return 401; }"
  echo '}'
} >"$T/nginx/nginx.conf"
setpriv --pdeathsig KILL -- "$nginx" -p "$T/nginx/" -c "$T/nginx/nginx.conf" -e "$T/run/nginx.log" </dev/null >"$T/run/nginx.out" 2>&1 &
nginx_pid=$!
all_listen() {
  kill -0 $nginx_pid 2>/dev/null || fail "nginx does not start: $(cat "$T/run/nginx.out" "$T/run/nginx.log")"
  local s
  for s in "${!port[@]}"; do casd_listens "${port[$s]}" || return 1; done
}
wait_for 20 "nginx" all_listen

# ---- the cases

mkdir -p "$T/one/src"
cd "$T/one/src"
echo 'int one(void) { return 1; }' >a.c
n=0
# A compile that no cache knows.
compile_new() {
  n=$((n + 1))
  echo "int one(void) { return $((n + $$)); }" >a.c
  "$WAYBILL" clang-22 -c a.c -o a.o || fail "the compile failed"
  clang-22 -c a.c -o plain.o
  assert_same plain.o a.o
}

use() { # use NAME [SETTING=VALUE ...]: another daemon, with these settings
  local s
  stop_daemon
  unset WAYBILL_REMOTE_CA WAYBILL_REMOTE_CERT WAYBILL_REMOTE_KEY WAYBILL_REMOTE_TOKEN_FILE
  export WAYBILL_REMOTE=grpcs://${host:-localhost}:${port[$1]} WAYBILL_REMOTE_CA=$pki/ca.pem WAYBILL_REMOTE_TIMEOUT=5
  shift
  for s; do
    [ -n "$s" ] || continue
    export "WAYBILL_REMOTE_${s%%=*}=${s#*=}"
  done
}

works() { # works WHAT NAME [SETTING ...]
  step "$1"
  use "${@:2}"
  stats_reset
  "$WAYBILL" doctor clang-22 >"$T/doctor.txt" 2>&1 || fail "$1: doctor: $(cat "$T/doctor.txt")"
  compile_new
  assert_eq "$1: executed on the cluster ($(fallback_reasons))" 1 "$(stat_key remote_executed)"
  assert_eq "$1: fallbacks" "" "$(fallback_reasons)"
}

# refused WHAT REGEX NAME [SETTING ...]: doctor and log say something that matches; the compile runs in the sandbox.
refused() {
  local what=$1 regex=$2
  step "$what"
  use "${@:3}"
  stats_reset
  local rc=0
  timeout 60 "$WAYBILL" doctor clang-22 >"$T/doctor.txt" 2>&1 || rc=$?
  [ $rc != 0 ] || fail "$what: doctor finds nothing wrong: $(cat "$T/doctor.txt")"
  assert_match "$what: doctor" "$regex" "$(grep '^remote' "$T/doctor.txt")"
  grep '^remote' "$T/doctor.txt"
  compile_new
  assert_eq "$what: executed on the cluster" 0 "$(stat_key remote_executed)"
  assert_eq "$what: executed here" 1 "$(stat_key executed)"
  assert_match "$what: reason" '^remote_(refused|down|protocol)=1$' "$(fallback_reasons)"
}

works "TLS with an authority of our own" good
host=127.0.0.1 works "TLS, by address" good
works "mutual TLS" mutual CERT="$pki/client.pem" KEY="$pki/client.key"
echo first >"$T/token" && touch "$T/tokens/first"
works "a token" token TOKEN_FILE="$T/token"

step "a renewed token, the same daemon"
rm "$T/tokens/first"
touch "$T/tokens/second"
echo second >"$T/token"
sleep 1.1 # credential files are looked at once a second
n0=$(stat_key remote_executed)
compile_new
assert_eq "executed on the cluster ($(fallback_reasons))" $((n0 + 1)) "$(stat_key remote_executed)"

refused "no such authority here" 'certificate is not trusted.*remote_ca' good CA=
refused "an authority that did not sign it" 'certificate is not trusted.*remote_ca' strange
refused "a server certificate that has expired" 'expired' old
refused "a server certificate for another name" 'another name' elsewhere
refused "no client certificate" 'client certificate.*remote_cert' mutual
refused "a client certificate that has expired" '(expired.*remote_cert|remote_cert.*expired)' mutual CERT="$pki/old-client.pem" \
  KEY="$pki/old-client.key"
refused "a client certificate of another authority" 'client.*certificate.*remote_cert' mutual CERT="$pki/strange-client.pem" \
  KEY="$pki/strange-client.key"
refused "no token" 'remote_token_file' token
echo wrong >"$T/token"
refused "a wrong token" 'remote_token_file' token TOKEN_FILE="$T/token"

step "a token that becomes right"
echo second >"$T/token"
sleep 1.1
remote_again() {
  compile_new
  [ "$(stat_key remote_executed)" -ge 1 ]
}
wait_for 60 "the cluster is used once the token is right" remote_again

step "credentials that cannot be used: doctor says which file, and compiles go on in the sandbox, counted"
unusable() { # unusable REGEX
  local out
  out=$("$WAYBILL" doctor clang-22 2>&1) && fail "doctor finds nothing wrong: $out"
  assert_match "doctor" "$1" "$(grep '^remote' <<<"$out")"
  stats_reset
  "$WAYBILL" clang-22 -c a.c -o a.o || fail "the compile failed"
  assert_same plain.o a.o
  assert_eq "counted" "1 1" "$(stat_keys fallbacks fallback_reasons.remote_refused)"
}
use good CA="$pki/absent.pem"
unusable "$pki/absent.pem.*remote_ca"
use good CA="$pki/openssl.cnf"
unusable "$pki/openssl.cnf.*remote_ca"
use good TOKEN_FILE="$T/absent"
unusable "$T/absent.*remote_token_file"
use mutual CERT="$pki/client.pem" KEY="$pki/server.key"
unusable 'does not belong'
