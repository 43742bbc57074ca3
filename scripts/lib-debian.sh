# A fresh Debian with systemd in a container of root's podman, for the scripts that need a whole machine of their own: its
# resolver is systemd-resolved, its sshd holds port 22, and its user `someone` has a session and may use sudo.
# Sourced after lib.sh, never run. Everything happens in namespaces of its own and in one folder, and is gone afterwards.
# shellcheck shell=bash disable=SC2154 # $top is lib.sh's

# What the machine around it needs.
debian_packages=(podman crun netavark aardvark-dns catatonit slirp4netns mmdebstrap debian-archive-keyring)

# debian_apart SCRIPT ARG…: runs `SCRIPT --inside FOLDER ARG…` where all it does is gone when it ends, however it ends.
debian_apart() {
  local script=$1 left
  shift
  for left in /var/tmp/podfarm-debian.*; do # what a run that was killed has left
    if [ -d "$left" ] && flock --nonblock --conflict-exit-code 9 "$left" true; then rm -rf "$left"; fi
  done
  place=$(mktemp -d /var/tmp/podfarm-debian.XXXXXX)
  exec 8<"$place" && flock 8
  trap 'rm -rf "$place"' EXIT
  # However this script ends, unshare is killed, and with it (--kill-child) the whole namespace.
  trap 'kill -KILL $!' INT TERM
  setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc "$script" --inside "$place" "$@" </dev/null &
  wait $!
}

# debian_namespace: to be called first in there.
debian_namespace() {
  mount --make-rshared /
  # The resolver of scripts/test-as-root is not for this.
  if [ -n "${PODFARM_TEST_NETWORK:-}" ]; then umount /etc/resolv.conf; fi
  if [ "$(stat --file-system --format %T /sys/fs/cgroup)" != cgroup2fs ]; then
    umount --recursive /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
  fi
  # Said here, and not by --pids-limit: newer versions ask for the controller to be told that there is no limit.
  printf '[containers]\npids_limit = 0\n[network]\nnetwork_backend = "netavark"\n' >"$place/containers.conf"
  trap 'outer rm -f --time 0 debian >/dev/null' EXIT
}

# debian_disk SUITE PACKAGE…: makes $place/disk.
debian_disk() {
  local suite=$1 disk=$place/disk packages=(systemd-sysv systemd-resolved dbus dbus-user-session libpam-systemd
    openssh-server openssh-client sudo ca-certificates iproute2 procps)
  shift
  packages+=("$@")
  quietly mmdebstrap --variant=important --include="$(IFS=, && echo "${packages[*]}")" "$suite" "$disk"
  chroot "$disk" useradd --create-home --shell /bin/bash --groups sudo someone
  echo 'someone ALL=(ALL) NOPASSWD:ALL' >"$disk/etc/sudoers.d/someone"
  mkdir -p "$disk/var/lib/systemd/linger"
  touch "$disk/var/lib/systemd/linger/someone" # a session from the start
  rm -f "$disk/etc/resolv.conf" "$disk/etc/hostname"
  touch "$disk/etc/resolv.conf" # podman mounts its own over it
  printf '[Match]\nName=tap0\n[Network]\nKeepConfiguration=yes\nDNS=10.0.2.3\n' >"$disk/etc/systemd/network/20-uplink.network"
  # A container has no udev, and here no control group controllers to limit processes with.
  cat >"$disk/etc/systemd/system/machine.service" <<-'END'
	[Unit]
	DefaultDependencies=no
	Before=sysinit.target systemd-resolved.service
	[Service]
	Type=oneshot
	ExecStart=/bin/sh -c "umount /etc/resolv.conf; ln -sf /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf; \
	  chmod 666 /dev/net/tun /dev/fuse; mount --make-rshared /"
	[Install]
	WantedBy=sysinit.target
	END
  quietly chroot "$disk" systemctl enable machine systemd-networkd systemd-resolved ssh
  mkdir -p "$disk/etc/containers"
  printf '[containers]\npids_limit = 0\n' >"$disk/etc/containers/containers.conf"
  # Certificates this machine's owner has added are needed wherever a proxy of theirs is in the way.
  if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
    cp /usr/local/share/ca-certificates/*.crt "$disk/usr/local/share/ca-certificates/"
    quietly chroot "$disk" update-ca-certificates
  fi
}

outer() { CONTAINERS_CONF=$place/containers.conf podman --root "$place/storage" --runroot "$place/run" --cgroup-manager cgroupfs "$@"; }

# debian_boot: boots $place/disk, and returns when its user has a session and it has a resolver.
debian_boot() {
  outer run --detach --name debian --privileged --systemd=always --hostname debian --cgroupns private \
    --ulimit nofile=10000:10000 --ulimit nproc=30000:30000 --cap-drop SYS_RESOURCE \
    --network slirp4netns --rootfs "$place/disk" /sbin/init >/dev/null
  for _ in $(seq 240); do
    if outer exec debian sh -c 'test -S /run/user/1000/bus && test -L /etc/resolv.conf && resolvectl status' >/dev/null 2>&1; then
      return
    fi
    sleep 0.25
  done
  outer exec debian journalctl --no-pager --lines 40 >&2 || true
  die "the Debian does not come up"
}

in_debian() { outer exec --interactive debian "$@"; }

as_someone() {
  outer exec --interactive --user someone --workdir /home/someone --env HOME=/home/someone --env USER=someone \
    --env LANG=C.UTF-8 --env PATH=/opt/test/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games \
    --env XDG_RUNTIME_DIR=/run/user/1000 --env DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus debian "$@"
}
