/* agent/run.h: what the subcommands share. */
#pragma once

#include "agent/agent.h"

/* --state-dir, or the place for this user. */
int run_state_dir(const struct options *options, char *out, size_t room) MUST_CHECK;

/* Opens it; says on standard error why not. */
int run_open_state(struct state **out, const struct options *options) MUST_CHECK;

bool run_is_root(void);
