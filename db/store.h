/* db/store.h: what Culvert remembers, in its own words. SQLite is behind it (db/README.md).
 *
 * Reads: any thread, through a store_reader of its own; tens of microseconds. Writes: from any
 * loop; one writer thread does them in order and calls back on the asking loop after commit.
 * Each change to what nodes cache appends to the change log in the same transaction.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "db/rows.h"

struct store;
struct store_reader;

/* Opens or makes the database file and brings its schema up to date. error says what to do:
 * newer schema (-ERR_VERSION), unwritable directory, corrupt file (-ERR_STORE). */
struct store_error {
    char text[256];
};
int store_open(struct store **out, const char *path, struct store_error *error) MUST_CHECK;

/* Waits for the writes that were asked for. */
void store_close(struct store *store);

int store_reader_open(struct store_reader **out, struct store *store) MUST_CHECK;
void store_reader_close(struct store_reader *reader);

/* Reads: 0 and *out, -ERR_NOT_FOUND, -ERR_STORE. */
int store_agent_find(struct store_reader *reader, const char *id,
                     struct store_agent *out) MUST_CHECK;
int store_agent_find_by_key(struct store_reader *reader, const uint8_t key[STORE_KEY],
                            struct store_agent *out) MUST_CHECK;
int store_camera_find(struct store_reader *reader, const char *id,
                      struct store_camera *out) MUST_CHECK;
int store_camera_find_by_slug(struct store_reader *reader, const char *slug,
                              struct store_camera *out) MUST_CHECK;
int store_token_find(struct store_reader *reader, const char *id,
                     struct store_token *out) MUST_CHECK;

/* How many agents there are, without those that were revoked. */
int store_agent_count(struct store_reader *reader, uint64_t *out) MUST_CHECK;

/* Lists: calls each for up to limit rows in order of id, beginning after the id `after` (""
 * for the first); each returns false to stop. It may look things up by the same reader, but
 * not begin the same list again. */
int store_agent_list(struct store_reader *reader, const char *after, size_t limit,
                     bool (*each)(void *owner, const struct store_agent *agent),
                     void *owner) MUST_CHECK;
int store_camera_list(struct store_reader *reader, const char *after, size_t limit,
                      bool (*each)(void *owner, const struct store_camera *camera),
                      void *owner) MUST_CHECK;
int store_camera_list_of(struct store_reader *reader, const char *agent_id, const char *after,
                         bool (*each)(void *owner, const struct store_camera *camera),
                         void *owner) MUST_CHECK;
int store_token_list(struct store_reader *reader, const char *after, size_t limit,
                     bool (*each)(void *owner, const struct store_token *token),
                     void *owner) MUST_CHECK;

/* Writes. The callback may be NULL; it runs on `loop` after the commit (which is on the disk)
 * with 0, -ERR_EXISTS, -ERR_NOT_FOUND, or when nothing could be written -ENOSPC, -EROFS,
 * -ENOMEM, -ERR_NOT_READY (locked, or too much waits: ask again) or -ERR_STORE. Arguments are
 * copied. */
struct store_done {
    struct loop *loop;
    void (*call)(void *owner, int err);
    void *owner;
};
void store_agent_put(struct store *store, const struct store_agent *agent, struct store_done done);

/* Uses the code up and makes the agent, by the code's name, or neither (-ERR_DENIED: unknown,
 * used or old). */
void store_agent_enrol(struct store *store, const uint8_t code_hash[32],
                       const struct store_agent *agent, struct store_done done);
void store_agent_seen(struct store *store, const char *id, uint64_t epoch, const char *version,
                      const char *system);
void store_agent_revoke(struct store *store, const char *id, struct store_done done);

/* Revision 0 makes the camera; else changes it if that is still its revision (-ERR_EXISTS: it
 * changed meanwhile, or the slug is taken; -ERR_NOT_FOUND: no such camera or agent). */
void store_camera_put(struct store *store, const struct store_camera *camera,
                      struct store_done done);
void store_camera_delete(struct store *store, const char *id, struct store_done done);
void store_camera_set_tracks(struct store *store, const char *id, const void *packed, size_t len);
void store_token_put(struct store *store, const struct store_token *token, struct store_done done);
void store_token_revoke(struct store *store, const char *id, struct store_done done);

/* -ERR_TOO_MANY: a thousand codes wait already. */
void store_code_put(struct store *store, const struct store_code *code, struct store_done done);

/* The change log: what happened after sequence number `after`, in commit order. -ERR_NOT_FOUND:
 * the log no longer reaches back that far (65,536 are kept): drop all that is cached. */
int store_changes(struct store_reader *reader, uint64_t after, size_t limit,
                  bool (*each)(void *owner, const struct store_change *change),
                  void *owner) MUST_CHECK;
uint64_t store_last_change(struct store_reader *reader);

/* Posts call to loop after each commit that appended to the change log (this process's), once
 * for several; before the writes' own callbacks. For as long as the store lives. 0 or -ENOMEM. */
int store_on_change(struct store *store, struct loop *loop, void (*call)(void *owner), void *owner);

/* Metering, under (node, boot, sequence): the same batch again counts once. */
void store_usage_put(struct store *store, const struct store_usage_batch *batch,
                     struct store_done done);

/* An online copy of the whole database to a new file (-ERR_EXISTS). On the writer thread. */
void store_backup(struct store *store, const char *path, struct store_done done);
