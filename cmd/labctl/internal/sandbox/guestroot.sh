# Builds what guests boot from, once. bash, as root, on Debian or Ubuntu with user-mode-linux.
#
#   OUT      the directory to fill: root (the file system of all guests, read-only to them), linux (the kernel),
#            reboot (what the kernel executes to reboot) and lacks (what could not be built, if anything)
#   SUITE    the release to install, as the sources name it
#   WORK     a directory for what is thrown away
#   stdin    the sources of packages, one-line form of sources.list(5)
#
# It says on standard output what it is about to do, one line each, and everything else on standard error.
set -euo pipefail
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
umask 022
root=$OUT/root
say() { echo "$*"; }

packages="systemd-sysv dbus kmod procps iproute2 iputils-ping iputils-arping openssh-server sudo
  iptables nftables ipset openvswitch-switch ethtool tcpdump bridge-utils netcat-openbsd less"

say "install the guests' file system ($SUITE)"
mmdebstrap --quiet --mode=root --variant=minbase --include="$(echo $packages | tr ' ' ,)" \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' "$SUITE" "$root" - >&2

# The kernel of the distribution's package, whose console driver wants no terminal, and its modules.
release=$(linux.uml --version)
modules=$root/usr/lib/modules
mkdir -p "$modules"
cp /usr/bin/linux.uml "$OUT/linux"
cp -a "/usr/lib/uml/modules/$release" "$modules/"

# The package's nf_tables is built for no address family at all, so that neither nft nor iptables-nft can make a table, and it has
# no WireGuard. Both are built from the very source that the kernel was built from; the kernel itself stays as it is.
build() { # folder, modules; modpost has no vmlinux to look into and can but warn of symbols
  local folder=$1
  shift
  make -s ARCH=um -j"$(nproc)" KBUILD_MODPOST_WARN=1 M="$folder" "${@/%/.ko}"
}

more_modules() (
  set -e
  source=linux-source-${release%.*}
  version=$(dpkg-query -W -f='${Built-Using}' user-mode-linux | sed -n 's/.*linux (= \([^)]*\)).*/\1/p')
  cd "$WORK"
  fetch() { apt-get -q -o APT::Sandbox::User=root download "$source${version:+=$version}"; }
  fetch || { apt-get -q update && fetch; }
  dpkg-deb --fsys-tarfile "$source"_*.deb | tar -xO "./usr/src/$source.tar.xz" | xz -dT0 |
    tar -x --exclude="$source"/{fs,sound,tools/testing}'/*.[cS]' --exclude='*.'{dts,dtsi,rst} \
      --exclude="$source"/drivers/{gpu,media,infiniband,scsi,usb,staging,net/ethernet,net/wireless}'/*.[cSh]'
  rm -f "$source"_*.deb
  cd "$source"
  {
    linux.uml --showconfig | sed '/LOCALVERSION_AUTO/d'
    printf 'CONFIG_%s=y\n' NF_TABLES_{INET,IPV4,IPV6,ARP,NETDEV}
    printf 'CONFIG_%s=m\n' NFT_{NAT,FIB_IPV4,FIB_IPV6,FIB_INET,DUP_IPV4,DUP_IPV6,DUP_NETDEV,FWD_NETDEV} NF_DUP_NETDEV WIREGUARD
    echo '# CONFIG_LOCALVERSION_AUTO is not set'
  } >.config
  make -s ARCH=um olddefconfig
  make -s ARCH=um -j"$(nproc)" modules_prepare
  [ "$(make -s ARCH=um kernelrelease)" = "$release" ]
  build net/netfilter nf_tables nf_nat nf_dup_netdev nft_{dup_netdev,fwd_netdev,nat,chain_nat,masq,redir,fib,fib_inet,reject,reject_inet,tproxy,socket}
  build net/ipv4/netfilter nft_{reject,fib,dup}_ipv4
  build net/ipv6/netfilter nft_{reject,fib,dup}_ipv6
  build lib/crypto libcurve25519-generic libcurve25519 libchacha libpoly1305 libchacha20poly1305
  build drivers/net/wireguard wireguard
  find net lib drivers/net -name '*.ko' -exec strip --strip-debug {} + -exec cp --parents {} "$modules/$release/kernel/" \;
)
say "build the kernel modules that the package lacks (Linux $release)"
more_modules >&2 || true
# `|| true` switches set -e off inside, so what came out is looked at instead.
if ! [ -e "$modules/$release/kernel/drivers/net/wireguard/wireguard.ko" ]; then
  echo "nft, iptables-nft and wireguard: the modules could not be built from source" >"$OUT/lacks"
fi
depmod -b "$root" "$release"

say "prepare the guests' file system"
# UML executes its argv[0] again to reboot; this tells that from a power-off.
printf '#!/bin/sh\nexit 77\n' >"$OUT/reboot"
chmod 755 "$OUT/reboot"
mkdir -p "$root/.labctl" "$root/usr/lib/labctl"

# The console: an sshd in a network namespace of its own, which nothing that is done to the guest's network cuts off.
cat >"$root/usr/lib/labctl/console" <<'CONFIG'
ListenAddress 169.254.77.2
HostKey /.labctl/host_key
AuthorizedKeysFile /.labctl/authorized_keys
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
PrintLastLog no
MaxStartups 100
MaxSessions 100
CONFIG
units=$root/etc/systemd/system
cat >"$units/labctl-console.service" <<'UNIT'
[Unit]
Description=The sandbox's way in
DefaultDependencies=no
[Service]
ExecStart=/usr/bin/nsenter --net=/run/labctl/console /usr/sbin/sshd -D -f /usr/lib/labctl/console
Restart=always
KillMode=process
[Install]
WantedBy=sysinit.target
UNIT
cat >"$units/labctl-ready.service" <<'UNIT'
[Unit]
Description=Tell the sandbox that this machine is up
After=ssh.service openvswitch-switch.service labctl-console.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'echo labctl: guest is up >/dev/kmsg'
[Install]
WantedBy=multi-user.target
UNIT
# What a machine without terminals, disks and Internet need not wait for. The network is the sandbox's and the playbook's.
for unit in getty.target getty@.service getty-static.service console-getty.service serial-getty@.service apt-daily.timer \
  apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer e2scrub_all.timer e2scrub_reap.service motd-news.timer \
  systemd-networkd.service systemd-networkd.socket systemd-networkd-wait-online.service systemd-binfmt.service \
  proc-sys-fs-binfmt_misc.automount systemd-update-utmp.service systemd-update-utmp-runlevel.service \
  systemd-random-seed.service dev-hugepages.mount systemd-remount-fs.service sys-kernel-debug.mount \
  sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount modprobe@.service \
  systemd-journal-flush.service ssh.socket; do
  ln -sf /dev/null "$units/$unit"
done
rm -f "$root"/etc/ssh/ssh_host_*
chroot "$root" sh -ec '
  [ -e /etc/openvswitch/conf.db ] || ovsdb-tool create /etc/openvswitch/conf.db /usr/share/openvswitch/vswitch.ovsschema
  systemctl -q enable ssh labctl-console labctl-ready
  touch /etc/.updated /var/.updated' >&2
