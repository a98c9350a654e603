/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tracepoints of tpmrm. Handles, codes and users are in them, and nothing
 * that a command or a context has inside.
 *
 * rc is the TPM_RC of a response, or a negative errno.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM tpmrm

#if !defined(TPMRM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define TPMRM_TRACE_H

#include <linux/tracepoint.h>

#include "tracepoints.h"

TRACE_DEFINE_ENUM(TPMRM_LOAD);
TRACE_DEFINE_ENUM(TPMRM_SAVE);
TRACE_DEFINE_ENUM(TPMRM_FLUSH);
TRACE_DEFINE_ENUM(TPMRM_QUESTION);

#define show_tpmrm_errand(errand)					\
	__print_symbolic(errand,					\
			 { TPMRM_LOAD, "load" },			\
			 { TPMRM_SAVE, "save" },			\
			 { TPMRM_FLUSH, "flush" },			\
			 { TPMRM_QUESTION, "question" })

#ifdef CONFIG_TCG_TPM_RM_EXHAUSTION
TRACE_DEFINE_ENUM(TPMRM_WAIT_BEGINS);
TRACE_DEFINE_ENUM(TPMRM_WAIT_GRANTED);
TRACE_DEFINE_ENUM(TPMRM_WAIT_EXPIRED);
TRACE_DEFINE_ENUM(TPMRM_WAIT_LEFT);

#define show_tpmrm_wait(wait)						\
	__print_symbolic(wait,						\
			 { TPMRM_WAIT_BEGINS, "begins" },		\
			 { TPMRM_WAIT_GRANTED, "granted" },		\
			 { TPMRM_WAIT_EXPIRED, "expired" },		\
			 { TPMRM_WAIT_LEFT, "left" })
#endif

/* A command of a program has ended. */
TRACE_EVENT(tpmrm_command,
	TP_PROTO(const char *chip, u64 space, u32 code, int rc),
	TP_ARGS(chip, space, code, rc),
	TP_STRUCT__entry(
		__string(chip, chip)
		__field(u64, space)
		__field(u32, code)
		__field(int, rc)
	),
	TP_fast_assign(
		__assign_str(chip);
		__entry->space = space;
		__entry->code = code;
		__entry->rc = rc;
	),
	TP_printk("%s space=%llu code=0x%x rc=%#x", __get_str(chip),
		  __entry->space, __entry->code, __entry->rc)
);

/* The driver has sent a command of its own. */
TRACE_EVENT(tpmrm_errand,
	TP_PROTO(const char *chip, enum tpmrm_errand errand, u32 handle,
		 int rc),
	TP_ARGS(chip, errand, handle, rc),
	TP_STRUCT__entry(
		__string(chip, chip)
		__field(u32, errand)
		__field(u32, handle)
		__field(int, rc)
	),
	TP_fast_assign(
		__assign_str(chip);
		__entry->errand = errand;
		__entry->handle = handle;
		__entry->rc = rc;
	),
	TP_printk("%s %s handle=0x%x rc=%#x", __get_str(chip),
		  show_tpmrm_errand(__entry->errand), __entry->handle,
		  __entry->rc)
);

/* A session is saved again, because its context has become old. */
TRACE_EVENT(tpmrm_regap,
	TP_PROTO(const char *chip, u32 session),
	TP_ARGS(chip, session),
	TP_STRUCT__entry(
		__string(chip, chip)
		__field(u32, session)
	),
	TP_fast_assign(
		__assign_str(chip);
		__entry->session = session;
	),
	TP_printk("%s session=0x%x", __get_str(chip), __entry->session)
);

/* Somebody else's command comes: what programs have loaded has to leave. */
TRACE_EVENT(tpmrm_barrier,
	TP_PROTO(const char *chip),
	TP_ARGS(chip),
	TP_STRUCT__entry(
		__string(chip, chip)
	),
	TP_fast_assign(
		__assign_str(chip);
	),
	TP_printk("%s", __get_str(chip))
);

/* What a program had under this handle is gone. */
TRACE_EVENT(tpmrm_lost,
	TP_PROTO(const char *chip, u64 space, u32 handle),
	TP_ARGS(chip, space, handle),
	TP_STRUCT__entry(
		__string(chip, chip)
		__field(u64, space)
		__field(u32, handle)
	),
	TP_fast_assign(
		__assign_str(chip);
		__entry->space = space;
		__entry->handle = handle;
	),
	TP_printk("%s space=%llu handle=0x%x", __get_str(chip), __entry->space,
		  __entry->handle)
);

#ifdef CONFIG_TCG_TPM_RM_EXHAUSTION
/* A session is taken from a user, -1 when nobody had it, for another. */
TRACE_EVENT(tpmrm_evict,
	TP_PROTO(const char *chip, u32 session, u32 from, u32 to),
	TP_ARGS(chip, session, from, to),
	TP_STRUCT__entry(
		__string(chip, chip)
		__field(u32, session)
		__field(u32, from)
		__field(u32, to)
	),
	TP_fast_assign(
		__assign_str(chip);
		__entry->session = session;
		__entry->from = from;
		__entry->to = to;
	),
	TP_printk("%s session=0x%x from_uid=%d to_uid=%d", __get_str(chip),
		  __entry->session, __entry->from, __entry->to)
);

/* A program waits for a session number: its command has ended with EAGAIN. */
TRACE_EVENT(tpmrm_wait,
	TP_PROTO(const char *chip, u64 space, enum tpmrm_wait wait),
	TP_ARGS(chip, space, wait),
	TP_STRUCT__entry(
		__string(chip, chip)
		__field(u64, space)
		__field(u32, wait)
	),
	TP_fast_assign(
		__assign_str(chip);
		__entry->space = space;
		__entry->wait = wait;
	),
	TP_printk("%s space=%llu %s", __get_str(chip), __entry->space,
		  show_tpmrm_wait(__entry->wait))
);
#endif

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
