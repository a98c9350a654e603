/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Folders and files in debugfs. What is made may be an error pointer; all of
 * these take that for a parent or an entry that is not there.
 */
#ifndef TPMRM_DEBUGFS_H
#define TPMRM_DEBUGFS_H

struct dentry;
struct file_operations;

struct dentry *tpmrm_debugfs_folder(const char *name, struct dentry *parent);
/* Root can read it. @data is the i_private of its inode. */
struct dentry *tpmrm_debugfs_file(const char *name, struct dentry *parent,
				  void *data,
				  const struct file_operations *operations);
/* With all that is in it. Waits for those who are reading. */
void tpmrm_debugfs_remove(struct dentry *entry);

#endif
