# What the scripts share: messages, packages, the Rust toolchain, and what rootless podman needs of a machine.
# Sourced, never run. Nothing here costs more than a few milliseconds on a machine that has everything.
# shellcheck shell=bash disable=SC2034 # not every script uses every variable

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# What `podfarm` itself uses. iptables and nftables: netavark calls one or the other, depending on its version.
podfarm_packages=(podman crun netavark aardvark-dns catatonit uidmap slirp4netns passt fuse-overlayfs
  iptables nftables iproute2 dbus-user-session mmdebstrap debian-archive-keyring openssh-client rsync git ca-certificates dnsmasq-base)
# What only the tests use.
test_packages=(shellcheck chromium chromium-driver python3 gpg gpg-agent)

say() { printf '%s\n' "$*" >&2; }
die() {
  say "${0##*/}: $1"
  shift
  for line; do say "  $line"; done
  exit 1
}
is_root() { [ "$(id -u)" = 0 ]; }
as_root() {
  if is_root; then "$@"; else sudo "$@"; fi
}
at_least() { dpkg --compare-versions "$1" ge "$2"; }

# quietly COMMAND…: its output is shown only when it fails.
quietly() {
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if [ "$status" != 0 ]; then
    tail -n 40 "$log" >&2
    say "failed with status $status: $*"
  fi
  rm -f "$log"
  return "$status"
}

# missing_packages NAME…: those that are not installed, one a line.
missing_packages() {
  comm -23 <(printf '%s\n' "$@" | sort -u) \
    <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p' | sort -u)
}

lists_are_fresh=
update_lists() {
  [ -z "$lists_are_fresh" ] || return 0
  # A password, if sudo wants one, is asked for here: later its prompt would be hidden.
  as_root true || die "installing packages needs root's rights: sudo does not give them to $(id -un)"
  quietly as_root apt-get -o DPkg::Lock::Timeout=300 update -qq || die "the package lists could not be fetched"
  lists_are_fresh=yes
}

# install_packages NAME…: installs what is missing. Removes nothing to make room for it.
install_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "these packages are missing, and there is no apt-get to install them: ${missing[*]}"
  is_root || command -v sudo >/dev/null ||
    die "these packages are missing, and there is no sudo; as root run:" "apt-get install ${missing[*]}"
  say "Installing $(is_root || echo 'with sudo'): ${missing[*]}"
  update_lists
  quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
    install -y --no-install-recommends --no-remove "${missing[@]}" ||
    die "not every package could be installed; what apt-get said is above"
}

# The Rust toolchain. One that is already there wins, be it from rustup or from a package.

rust_minimum() { sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' "$top/Cargo.toml"; }

tool_version() { { (cd "$top" && "$1" --version 2>/dev/null) || true; } | sed -nE '1s/^[a-z]+ ([0-9.]+).*/\1/p'; }

rust_is_new_enough() {
  local tool version
  for tool in cargo rustc; do
    version=$(tool_version "$tool")
    [ -n "$version" ] && at_least "$version" "$(rust_minimum)" || return 1
  done
}

# Rustup's folder where no login shell has put it on PATH yet, and that of Ubuntu's versioned packages.
find_rust() {
  local folder
  rust_is_new_enough && return 0
  for folder in "${CARGO_HOME:-$HOME/.cargo}/bin" $(printf '%s\n' /usr/lib/rust-1.*/bin | sort -Vr); do
    if [ -x "$folder/cargo" ] && PATH="$folder:$PATH" rust_is_new_enough; then
      PATH="$folder:$PATH"
      return 0
    fi
  done
  return 1
}

candidate() { { apt-cache show --no-all-versions "$1" 2>/dev/null || true; } | sed -n 's/^Version: //p'; }

# The packaged cargo to take: Debian 13 has it as cargo, Debian 12 as cargo-web, Ubuntu as cargo-1.NN.
cargo_package() {
  local package version
  for package in cargo cargo-web \
    $(apt-cache search --names-only '^cargo-1\.[0-9]+$' | cut -d' ' -f1 | sort -Vr); do
    version=$(candidate "$package")
    if [ -n "$version" ] && at_least "$version" "$(rust_minimum)"; then
      echo "$package"
      return
    fi
  done
}

ensure_rust() {
  if ! find_rust; then
    update_lists
    local package obstacle
    package=$(cargo_package)
    [ -n "$package" ] || die "Rust $(rust_minimum) or newer is needed, and no package of it was found." \
      "Install one with rustup, and run this again."
    for obstacle in cargo rustup; do # cargo-web conflicts with both, and nothing is to be removed unasked
      if [ "$package" = cargo-web ] && [ -z "$(missing_packages "$obstacle")" ]; then
        die "Rust $(rust_minimum) or newer is needed; the installed package $obstacle is in its way." \
          "Exchange it: sudo apt-get install cargo-web   (or install a newer Rust with rustup)"
      fi
    done
    install_packages "$package"
    hash -r
    find_rust || die "cargo $(tool_version cargo) and rustc $(tool_version rustc) are what PATH gives; $(rust_minimum) is needed." \
      "Update it (rustup update stable), or take it off PATH: the package $package is installed."
  fi
  command -v cc >/dev/null || install_packages gcc libc6-dev
  export PATH
}

# rustfmt and clippy, from wherever cargo came.
ensure_rust_lints() {
  local package
  cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return 0
  package=$(dpkg-query -S "$(readlink -f "$(command -v cargo)")" 2>/dev/null | cut -d: -f1) || true
  case $package in
    cargo) install_packages rustfmt rust-clippy ;;
    cargo-web) install_packages rustfmt-web rust-web-clippy ;;
    cargo-1.*) install_packages "rustfmt-${package#cargo-}" "rust-${package#cargo-}-clippy" ;;
    *) die "cargo fmt or cargo clippy is missing:" "rustup component add rustfmt clippy" ;;
  esac
}

# What rootless podman needs of a user.

# ensure_subordinate_ids USER: 65,536 subordinate user and group ids.
ensure_subordinate_ids() {
  local user=$1 kind first options=()
  for kind in uid gid; do
    [ "$(subordinate_ids "$kind" "$user")" -lt 65536 ] || continue
    first=$(awk -F: '$2 + $3 > end { end = $2 + $3 } END { print end > 100000 ? end : 100000 }' /etc/subuid /etc/subgid 2>/dev/null || echo 100000)
    options+=("--add-sub${kind}s" "$first-$((first + 65535))")
  done
  [ ${#options[@]} -gt 0 ] || return 0
  say "Giving $user subordinate ids: usermod ${options[*]} $user"
  as_root usermod "${options[@]}" "$user" ||
    die "$user has no subordinate ids, which rootless podman needs; as root run:" "usermod ${options[*]} $user"
  # A podman that ran without them holds on to a namespace without them.
  is_root || podman system migrate >/dev/null 2>&1 || true
}
subordinate_ids() { # uid|gid USER: how many there are; getsubids knows of directory services too
  local group=()
  [ "$1" = uid ] || group=(-g)
  { getsubids "${group[@]}" "$2" 2>/dev/null || true; } | awk '{ total += $NF } END { print total + 0 }'
}

# settle_podman: podman before 5 takes the vfs storage driver by itself, which copies every file of every layer for each
# container; and where its storage holds an image before it has ever looked at networks, the network backend it takes is
# not netavark. Both are settled for good by the first command that needs them, so this must be that command.
settle_podman() {
  local config=${XDG_CONFIG_HOME:-$HOME/.config}/containers/storage.conf
  local storage=${XDG_DATA_HOME:-$HOME/.local/share}/containers/storage
  if at_least "$(podman --version | awk '{ print $3 }')" 5; then return 0; fi
  if [ ! -e "$storage" ] && [ ! -e "$config" ] && [ ! -e /etc/containers/storage.conf ]; then
    mkdir -p "${config%/*}"
    printf '[storage]\ndriver = "overlay"\n' >"$config"
    say "Wrote $config: this podman would take the slow vfs driver by itself."
  fi
  case $(podman info --format '{{.Store.GraphDriverName}} {{.Host.NetworkBackend}}') in
    *' cni') say 'Note: podman uses CNI networks here, podfarm needs netavark.' "$reset_hint" ;;
    'vfs '*) say "Note: podman's storage driver here is vfs, which is slow and takes much room." "$reset_hint" ;;
  esac
}
reset_hint='If podman holds nothing you need: podman system reset, then run scripts/setup again.'
