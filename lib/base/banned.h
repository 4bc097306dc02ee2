/* base/banned.h: functions that do not compile here; included by force (-include).
 *
 * Each has a better one: snprintf, memcpy with a length, strtoll, gmtime_r, random_bytes.
 */
#pragma once

/* The system's headers declare these names: let them, before we poison them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat sprintf strtok gets atoi strncpy gmtime localtime
/* OpenSSL names parameters rand: only calls are banned. */
#define rand() rand_is_banned_use_random_bytes
#undef alloca
#pragma GCC poison alloca
