// SPDX-License-Identifier: GPL-2.0
/* A way to the TPM by the TSS's loader. */
#include <tss2/tss2_tctildr.h>

#include "tcti.h"

TSS2_TCTI_CONTEXT *tcti_open(const char *name)
{
	TSS2_TCTI_CONTEXT *tcti = NULL;

	return Tss2_TctiLdr_Initialize(name, &tcti) ? NULL : tcti;
}

void tcti_close(TSS2_TCTI_CONTEXT *tcti)
{
	Tss2_TctiLdr_Finalize(&tcti);
}

bool tcti_call(TSS2_TCTI_CONTEXT *tcti, uint8_t *bytes, size_t *size, size_t room)
{
	if (Tss2_Tcti_Transmit(tcti, *size, bytes))
		return false;
	*size = room;
	return Tss2_Tcti_Receive(tcti, size, bytes, TSS2_TCTI_TIMEOUT_BLOCK) == TSS2_RC_SUCCESS;
}
