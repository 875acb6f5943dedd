#!/bin/sh
# Lambda's sandbox around a root file system: nothing can be written but /tmp; no /dev/shm, no pseudo-terminal.
# In namespaces of its own: sandbox.sh ROOT UID GID PLAYBOOKS COMMAND...
set -eu
root=$1 uid=$2 gid=$3 playbooks=$4
shift 4

mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mount -t proc -o nosuid,nodev,noexec proc proc
mount -t tmpfs -o size=512m,mode=700,uid="$uid",gid="$gid" tmpfs tmp
mount -t tmpfs -o size=64k,mode=755 tmpfs dev
for device in "null 3" "zero 5" "full 7" "random 8" "urandom 9"; do
    mknod -m 666 "dev/${device% *}" c 1 "${device#* }"
done
ln -s /proc/self/fd dev/fd
for number in 0 1 2; do
    name=$(echo stdin stdout stderr | cut -d ' ' -f $((number + 1)))
    ln -s "fd/$number" "dev/$name"
done
for file in etc/hosts etc/resolv.conf; do
    mount --bind "/$file" "$file"
done
if [ -n "$playbooks" ]; then
    mount --bind "$playbooks" var/task/playbooks
    mount -o remount,ro,bind var/task/playbooks
fi
mount -o remount,ro,bind .
exec chroot . "$@"
