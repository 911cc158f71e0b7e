# own_mounts.sh: for tests that mount small file systems. To be sourced before lib.sh.
#
#   own_mounts "$@"     runs the script again in a mount namespace of its own, so that nothing it mounts is seen by others or
#                       outlives it; as another user than root in a user namespace too. Skips the test where that is not allowed
# shellcheck shell=bash
own_mounts() {
  local own=(unshare -m)
  [ "${E2E_OWN_MOUNTS-}" != yes ] || return 0
  [ "$(id -u)" = 0 ] || own=(unshare -Urm)
  if ! "${own[@]}" mount -t tmpfs none /mnt 2>/dev/null; then
    echo "SKIP: cannot mount here"
    exit 77
  fi
  E2E_OWN_MOUNTS=yes exec "${own[@]}" "$0" "$@"
}
