# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the cases have in common. A case runs in an empty folder, as root.

# Results go where the case's output should; what the case says itself is not one.
exec 3>&1 >&2
set -uo pipefail

# The one setting that every program gets, and each by another name.
export TPM2TOOLS_TCTI=device:/dev/tpmrm0
export TPM2OPENSSL_TCTI=$TPM2TOOLS_TCTI
export TPM2_PKCS11_TCTI=$TPM2TOOLS_TCTI

# step NAME COMMAND...
# What a user does: a function that ends at its first failure. What was started
# beside it ends with it. Descriptor 3 hears what came of it.
step() {
	local name=$1 status
	shift
	if [[ " $STEPS " != *" $name "* ]]; then
		return
	fi
	(
		trap 'status=$?; end_others; exit $status' EXIT
		set -ex
		"$@"
	) >"$LOGS/$name.log" 2>&1 3>&-
	status=$?
	echo "$name $status" >&3
}

# Nothing that was started may hold anything when the next step begins.
end_others() {
	set +ex
	# shellcheck disable=SC2046
	kill $(jobs -p) 2>/dev/null
	wait
}

# A user whom root does not know; what this runs in the background is the program itself, which can be ended.
AS_STRANGER=(setpriv --reuid 1001 --regid 1001 --clear-groups)

# until_true COMMAND...: waits for what a program that was just started does, as long as it lives.
until_true() {
	local program=$!
	until "$@" 2>/dev/null; do
		kill -0 "$program"
		sleep 0.1
	done
}

# Somebody else starts sessions until there are no more, and keeps them.
all_sessions_taken() {
	"${AS_STRANGER[@]}" "$CROWD" hog 22 3 >taken &
	until_true grep -q ready taken
}

while_taken() {
	all_sessions_taken
	"$@"
}

# beside COMMAND...
# Another program uses objects and sessions of its own, and finds them all as they were.
beside() {
	local input program
	coproc OTHER { "$HOLDER"; }
	input=${OTHER[1]}
	program=$OTHER_PID
	read -r <&"${OTHER[0]}"
	"$@"
	exec {input}>&-
	wait "$program"
}

# Somebody else has left sessions in files, as many as the TPM has.
all_sessions_leaked() {
	"${AS_STRANGER[@]}" "$CROWD" leak 64 60 || true
}

# Somebody else removes from the TPM all that he can list.
all_is_flushed() {
	"${AS_STRANGER[@]}" tpm2_flushcontext --transient-object || true
	"${AS_STRANGER[@]}" tpm2_flushcontext --loaded-session || true
	"${AS_STRANGER[@]}" tpm2_flushcontext --saved-session || true
}
