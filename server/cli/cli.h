/* server/cli/cli.h: the subcommands that talk to the running server over its Unix socket. */
#pragma once

/* argv[0] is the subcommand: agent, camera, token, status or backup. Prints to standard output,
 * errors as one line to standard error. Returns the exit status: 0, 1 (refused or failed) or 2
 * (not understood). */
int cli_run(int argc, char **argv);
