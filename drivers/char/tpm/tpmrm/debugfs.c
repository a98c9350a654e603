// SPDX-License-Identifier: GPL-2.0
/*
 * Folders and files in debugfs, as functions for Rust: some are macros, and
 * all are empty where there is no debugfs.
 */
#include <linux/debugfs.h>

#include "debugfs.h"

struct dentry *tpmrm_debugfs_folder(const char *name, struct dentry *parent)
{
	return debugfs_create_dir(name, parent);
}

struct dentry *tpmrm_debugfs_file(const char *name, struct dentry *parent,
				  void *data,
				  const struct file_operations *operations)
{
	return debugfs_create_file(name, 0400, parent, data, operations);
}

void tpmrm_debugfs_remove(struct dentry *entry)
{
	debugfs_remove(entry);
}
