/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What a program can ask of a descriptor of /dev/tpmrmN about its sessions.
 *
 * A TPM has numbers for 64 sessions, as a rule, and all programs share them.
 * When there is none left, one that somebody has had for long enough is taken
 * away. What that means for its owner is a policy, of the module and of each
 * descriptor.
 *
 * These ioctls exist when the driver was built with
 * CONFIG_TCG_TPM_RM_EXHAUSTION; else each of them fails with ENOTTY.
 */
#ifndef _UAPI_LINUX_TPMRM_H
#define _UAPI_LINUX_TPMRM_H

#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * The version of this interface. It grows when something is added that a
 * program has to ask for first; what is there keeps its meaning. Fields named
 * "reserved" are 0 when the driver fills them in, and have to be 0 when a
 * program does, or the call fails with EINVAL: so they can be given a meaning.
 */
#define TPMRM_VERSION		1

/*
 * The type of the ioctls. In Linux 7.3, nothing else has 0xBB in
 * Documentation/userspace-api/ioctl/ioctl-number.rst.
 */
#define TPMRM_IOC_TYPE		0xBB

/**
 * enum tpmrm_loss_policy - what becomes of a descriptor whose session is needed
 * @TPMRM_POLICY_DEFAULT: what the module's parameter session_policy says, also
 *	when that is changed later; never reported as the policy in force
 * @TPMRM_POLICY_FAIL: the session is lost, and only commands that name it are
 *	refused
 * @TPMRM_POLICY_CLOSE: the session is lost, and with it the descriptor: every
 *	later command fails with EPIPE
 * @TPMRM_POLICY_NEVER: no session is taken away; whoever needs one waits until
 *	there is one, or the wait is over
 */
enum tpmrm_loss_policy {
	TPMRM_POLICY_DEFAULT = 0,
	TPMRM_POLICY_FAIL = 1,
	TPMRM_POLICY_CLOSE = 2,
	TPMRM_POLICY_NEVER = 3,
};

/* In the flags of struct tpmrm_info: a session was lost under "close". */
#define TPMRM_INFO_CLOSED	(1U << 0)

/**
 * struct tpmrm_info - what a descriptor has and what holds for it
 * @version: %TPMRM_VERSION of the driver
 * @policy: the policy in force, one of &enum tpmrm_loss_policy
 * @sessions_reserved: how many session numbers are kept for it, in use or not
 * @sessions_lost: how many sessions it has lost and not flushed
 * @flags: %TPMRM_INFO_CLOSED or 0; unknown flags are to be ignored
 * @reserved: 0
 */
struct tpmrm_info {
	__u32 version;
	__u32 policy;
	__u32 sessions_reserved;
	__u32 sessions_lost;
	__u32 flags;
	__u32 reserved[3];
};

/**
 * struct tpmrm_policy - the policy of a descriptor
 * @policy: one of &enum tpmrm_loss_policy
 * @reserved: 0
 */
struct tpmrm_policy {
	__u32 policy;
	__u32 reserved;
};

/**
 * struct tpmrm_reserve - session numbers to be kept for a descriptor
 * @sessions: how many in all, those that it uses included; 0 gives them back
 * @reserved: 0
 */
struct tpmrm_reserve {
	__u32 sessions;
	__u32 reserved;
};

/* How many handles one call of TPMRM_IOC_GET_LOST can tell. */
#define TPMRM_LOST_MAX		60

/**
 * struct tpmrm_lost - the sessions that a descriptor has lost and not flushed
 * @first: set by the program: how many of them to skip
 * @count: how many handles are in @handles
 * @total: how many there are in all
 * @reserved: 0, also when the program calls
 * @handles: session handles, in the order in which they were lost; 0 after
 *	the last
 */
struct tpmrm_lost {
	__u32 first;
	__u32 count;
	__u32 total;
	__u32 reserved;
	__u32 handles[TPMRM_LOST_MAX];
};

/**
 * TPMRM_IOC_GET_INFO - _IOR(TPMRM_IOC_TYPE, 0x00, struct tpmrm_info)
 *
 * Tells what the descriptor has. Works while one of its commands waits for a
 * session, and while a response is unread.
 *
 * Return:
 * * 0		- success
 * * -EFAULT	- the structure cannot be written
 * * -EINTR	- a signal arrived, and its handler does not restart calls
 * * -ENOMEM	- there is no memory for the first use of the descriptor
 * * -EPIPE	- the TPM is gone
 */
#define TPMRM_IOC_GET_INFO	_IOR(TPMRM_IOC_TYPE, 0x00, struct tpmrm_info)

/**
 * TPMRM_IOC_SET_POLICY - _IOW(TPMRM_IOC_TYPE, 0x01, struct tpmrm_policy)
 *
 * Chooses what becomes of this descriptor when one of its sessions is needed.
 *
 * Return:
 * * 0		- success
 * * -EFAULT	- the structure cannot be read
 * * -EINTR	- a signal arrived, and its handler does not restart calls
 * * -EINVAL	- there is no such policy, or @reserved is not 0
 * * -ENOMEM	- there is no memory for the first use of the descriptor
 * * -EPERM	- %TPMRM_POLICY_NEVER keeps others waiting: it takes
 *		  CAP_SYS_ADMIN in the initial user namespace. Without that it
 *		  can be chosen while it is the module's policy, and then means
 *		  %TPMRM_POLICY_DEFAULT
 * * -EPIPE	- the TPM is gone
 */
#define TPMRM_IOC_SET_POLICY	_IOW(TPMRM_IOC_TYPE, 0x01, struct tpmrm_policy)

/**
 * TPMRM_IOC_RESERVE - _IOW(TPMRM_IOC_TYPE, 0x02, struct tpmrm_reserve)
 *
 * Keeps session numbers for this descriptor, all of them or none, so that
 * programs that need several sessions do not wait for each other for ever. It
 * waits as a write() does. What is there to be read stays there. A session that
 * the program saves (TPM2_ContextSave) takes its number with it: one less is
 * reserved then.
 *
 * Return:
 * * 0		- success
 * * -EAGAIN	- the descriptor does not block, and the numbers cannot be had
 *		  at once
 * * -EBUSY	- a command of this descriptor is under way
 * * -EFAULT	- the structure cannot be read
 * * -EINTR	- a signal arrived, and its handler does not restart calls
 * * -EINVAL	- there can never be as many, or @reserved is not 0
 * * -ENOMEM	- there is not enough memory
 * * -EPERM	- the policy in force is not %TPMRM_POLICY_NEVER
 * * -EPIPE	- the TPM is gone
 * * -ETIMEDOUT	- the numbers could not be had within session_wait_ms
 */
#define TPMRM_IOC_RESERVE	_IOW(TPMRM_IOC_TYPE, 0x02, struct tpmrm_reserve)

/**
 * TPMRM_IOC_GET_LOST - _IOWR(TPMRM_IOC_TYPE, 0x03, struct tpmrm_lost)
 *
 * Tells which sessions are lost. A session stays lost until it is flushed.
 * This acknowledges all losses so far: EPOLLPRI is lowered until the next one,
 * as it is when all lost sessions are flushed. Works whenever
 * TPMRM_IOC_GET_INFO does.
 *
 * Return:
 * * 0		- success
 * * -EFAULT	- the structure cannot be read or written
 * * -EINTR	- a signal arrived, and its handler does not restart calls
 * * -EINVAL	- @reserved is not 0
 * * -ENOMEM	- there is no memory for the first use of the descriptor
 * * -EPIPE	- the TPM is gone
 */
#define TPMRM_IOC_GET_LOST	_IOWR(TPMRM_IOC_TYPE, 0x03, struct tpmrm_lost)

#endif /* _UAPI_LINUX_TPMRM_H */
