/* agent/state.h: what an agent keeps on disk: who it is, and numbers that only go up.
 *
 * One directory (0700); files 0600, replaced in one step and synced. A running agent locks it.
 */
#pragma once

#include <stdint.h>

#include "agent-proto/enrol_code.h"
#include "base/err.h"
#include "crypto/ed25519.h"
#include "crypto/hpke.h"

enum { STATE_AGENT_ID = 32, STATE_TEXT = 256 };

struct identity {
    char agent_id[STATE_AGENT_ID];
    char name[STATE_TEXT];
    char host[ENROL_HOST];
    uint16_t port;
    uint8_t pin[ENROL_PIN];
    uint8_t key[ED25519_PRIVATE_KEY];
    uint8_t seal_key[HPKE_PRIVATE_KEY];
};

struct state;

/* Makes the directory if it isn't there, and locks it (-ERR_EXISTS: another agent runs with it).
 * -EACCES, -EROFS … when it can't be written. */
int state_open(struct state **out, const char *directory) MUST_CHECK;
void state_close(struct state *state);

/* -ENOENT: not enrolled yet; -ERR_PROTOCOL: the file is broken. */
int state_read_identity(struct state *state, struct identity *out) MUST_CHECK;
int state_write_identity(struct state *state, const struct identity *identity) MUST_CHECK;

/* The epoch of a new connection: boots << 20 | connections. Each call gives a higher one, also
 * after a restart. Negative when it can't be written down. */
int state_next_epoch(struct state *state, uint64_t *out) MUST_CHECK;

/* The server knows a higher one: the next is past it. */
void state_raise_epoch(struct state *state, uint64_t highest);

/* A camera's next segment number: higher than any that was used, and near what the wall clock
 * says (wall_us / 2 s), so that numbers stay in step with time over restarts. */
int64_t state_first_segment(struct state *state, const char *camera_id, int64_t wall_us);

/* Tells which number comes next; written down now and then, some ahead. */
void state_keep_segment(struct state *state, const char *camera_id, int64_t next);

/* The name of the way to the server that worked last (agent/ways.h); -ENOENT: none yet. */
int state_read_way(struct state *state, char *out, size_t room) MUST_CHECK;
void state_write_way(struct state *state, const char *name);

/* The text for `culvert-agent status`. */
void state_write_status(struct state *state, const char *text);

/* Without opening it: 0 and at most room - 1 bytes of the file in out. */
int state_read_file(const char *directory, const char *name, char *out, size_t room) MUST_CHECK;
