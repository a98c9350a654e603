// SPDX-License-Identifier: GPL-2.0
/*
 * compat - the ioctls as programs are compiled with them, by name, number and version
 * compat REQUEST WORD... - an ioctl as a 32-bit program makes it
 *
 * The system calls of 32-bit programs can be made from a 64-bit program as
 * well, by the interrupt that they use, so there is no need for 32-bit
 * libraries. The words are what the argument points to; what is there
 * afterwards is printed. The status is the errno.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <linux/tpmrm.h>

#include "tpm2.h"

#define SYS_IOCTL_32	54
#define ROOM		4096

static long ioctl_32(int fd, unsigned int request, void *argument)
{
	long result;

	asm volatile("int $0x80"
		     : "=a" (result)
		     : "a" (SYS_IOCTL_32), "b" (fd), "c" (request), "d" (argument)
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}

int main(int argc, char **argv)
{
	uint32_t *words;
	long result;

	if (argc < 2) {
		printf("version %u\nGET_INFO %lu\nSET_POLICY %lu\nRESERVE %lu\nGET_LOST %lu\n", TPMRM_VERSION,
		       TPMRM_IOC_GET_INFO, TPMRM_IOC_SET_POLICY, TPMRM_IOC_RESERVE, TPMRM_IOC_GET_LOST);
		return 0;
	}
	words = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (words == MAP_FAILED)
		return 2;
	for (int i = 2; i < argc; i++)
		words[i - 2] = strtoul(argv[i], NULL, 0);
	result = ioctl_32(tpm2_open(0), strtoul(argv[1], NULL, 0), words);
	for (int i = 2; i < argc; i++)
		printf("%u ", words[i - 2]);
	return result < 0 ? -result : 0;
}
