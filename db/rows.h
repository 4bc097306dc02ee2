/* db/rows.h: the rows of the store, as its callers see them: plain values that own nothing.
 *
 * Ids are text: "cam_…", "agt_…", and for tokens the 16 hex digits of the token's public id.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STORE_ID = 32,
    STORE_NAME = 404, /* 100 characters of UTF-8, in bytes */
    STORE_SLUG = 64,
    STORE_KEY = 32,        /* Ed25519 public key, bytes */
    STORE_SEAL_KEY = 65,   /* P-256 public key, uncompressed point, bytes */
    STORE_SEALED = 2048,   /* a sealed camera URL, bytes */
    STORE_URL_SHOWN = 512, /* host, port, path: no user, no password, no query */
    STORE_LIST = 1024,     /* space-separated words */
    STORE_TRACKS = 16384   /* packed Tracks message */
};

struct store_agent {
    char id[STORE_ID], name[STORE_NAME];
    uint8_t key[STORE_KEY];
    uint8_t seal_key[STORE_SEAL_KEY];
    uint64_t epoch;                       /* the highest one seen */
    int64_t created_s, seen_s, revoked_s; /* since 1970; 0: never */
    char version[64], system[64];
};

struct store_sealed {
    uint8_t bytes[STORE_SEALED];
    size_t len; /* 0: none */
};

struct store_camera {
    char id[STORE_ID], agent_id[STORE_ID], slug[STORE_SLUG], name[STORE_NAME];
    char url_shown[STORE_URL_SHOWN];
    struct store_sealed sealed, sealed_sub; /* to the agent's key */
    bool is_always_on;
    uint64_t revision; /* goes up with each change */
    int64_t created_s;
    struct {
        uint8_t bytes[STORE_TRACKS];
        size_t len;
    } tracks; /* what it last sent, packed */
};

struct store_token {
    char id[STORE_ID], label[STORE_NAME];
    char cameras[STORE_LIST];   /* camera ids; "" : all (of the agent, if one is named) */
    char agent_id[STORE_ID];    /* every camera of this agent; "": no such limit */
    char protocols[STORE_LIST]; /* "" : all */
    char networks[STORE_LIST];  /* CIDR; "" : all */
    char origins[STORE_LIST];   /* web origins; "" : any */
    int64_t not_before_s, expires_s, created_s, revoked_s; /* 0: no such limit, not revoked */
    uint32_t viewers_max;                                  /* 0: no limit */
    bool has_srt_passphrase; /* its SRT is encrypted: auth_passphrase_text */
};

struct store_code { /* a one-time enrolment code, by the hash of it */
    uint8_t hash[32];
    char agent_name[STORE_NAME];
    int64_t expires_s, used_s;
};

enum store_table { STORE_AGENTS = 1, STORE_CAMERAS, STORE_TOKENS };
struct store_change {
    uint64_t seq;
    enum store_table table;
    char id[STORE_ID];
    bool is_gone; /* deleted or revoked */
};

struct store_usage {
    char camera_id[STORE_ID], token_id[STORE_ID], protocol[16];
    int64_t hour_s; /* the hour's start */
    uint64_t bytes, seconds_ms;
};
struct store_usage_batch {
    const char *node;
    uint64_t boot, sequence;
    const struct store_usage *rows; /* -ERR_TOO_MANY: more than 4096 */
    size_t count;
};
