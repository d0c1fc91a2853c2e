#!/bin/sh
# Becomes the first process of a machine with systemd: run in new mount, PID, UTS, IPC, network and cgroup namespaces.
#
#   machine.sh WORK REPOSITORY NODE DENO
#
# It sees this machine's files, and what it writes is gone with it. No unit of this machine runs but the journal; the kernel's
# settings and devices are read-only. The program is in /opt/taskmesh, the runtimes in /usr/local/bin. What units write to the FIFO
# /run/told is read outside; "booted" comes first.
set -eu
work=$1 repository=$2 node=$3 deno=$4
root=$work/root

mount --make-rprivate /
mount -t tmpfs tmpfs "$work"
mkdir "$work/upper" "$work/overlay" "$root" "$work/program" "$work/program-overlay"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/overlay" "$root"

mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else
  mount -t tmpfs tmpfs "$root/sys/fs/cgroup"
  mkdir "$root/sys/fs/cgroup/systemd" "$root/sys/fs/cgroup/unified"
  mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup/unified"
fi
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
ip link set lo up

for name in node deno; do
  eval "program=\$$name"
  rm -f "$root/usr/local/bin/$name"
  touch "$root/usr/local/bin/$name"
  mount --bind "$program" "$root/usr/local/bin/$name"
done
rm -rf "$root/opt/taskmesh" "$root/etc/taskmesh" "$root/var/lib/taskmesh" "$root/var/cache/taskmesh"
mkdir -p "$root/opt/taskmesh" "$root/etc/taskmesh"
mount -t overlay overlay -o "lowerdir=$repository,upperdir=$work/program,workdir=$work/program-overlay" "$root/opt/taskmesh"
chmod 755 "$root/opt/taskmesh"

# Nothing of this machine's own, in whatever folder its system keeps it.
rm -rf "$root"/etc/systemd/system "$root"/usr/lib/systemd/system/*.wants "$root"/lib/systemd/system/*.wants
units=$root/etc/systemd/system
mkdir -p "$units/sysinit.target.wants" "$units/basic.target.wants"
ln -s /lib/systemd/system/systemd-journald.service "$units/sysinit.target.wants/"
cat >"$units/booted.service" <<'UNIT'
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo booted >/run/told'
UNIT
ln -s ../booted.service "$units/basic.target.wants/"
cp "$repository"/deploy/systemd/*.service "$units/"
mkdir -p "$root/etc/sysusers.d"
cp "$repository/deploy/systemd/taskmesh.sysusers.conf" "$root/etc/sysusers.d/taskmesh.conf"
touch "$root/etc/taskmesh/taskmesh.env"

touch "$root/run/told"
mount --bind "$work.told" "$root/run/told"
cd "$root"
mkdir -p .outside
pivot_root . .outside
umount -l /.outside
systemd-sysusers
systemd=/lib/systemd/systemd
[ -x "$systemd" ] || systemd=/usr/lib/systemd/systemd
exec env -i container=test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  "$systemd" --system --unit=basic.target
