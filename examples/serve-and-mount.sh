#!/bin/sh
# A file system on a disk that can be snapshotted while it is in use: made, served, mounted. Needs
# Linux, root, and the Debian packages e2fsprogs, nbdfuse and fuse3. Takes the directory to work in.
set -eu
cd "$1"

blockspace --quiet init my-store
truncate --size 64M disk.img && mkfs.ext4 -q disk.img && mkdir mnt lab
blockspace --quiet import my-store disk.img disk
blockspace --quiet serve my-store & server=$!
blockspace mount my-store disk mnt

echo "before" > mnt/notes && sync --file-system mnt
blockspace --quiet snapshot my-store disk disk@now
echo "after" > mnt/notes
blockspace --quiet clone my-store disk@now lab
blockspace mount my-store lab lab
cat mnt/notes lab/notes

blockspace umount lab
blockspace umount mnt
kill "$server" && wait "$server"
