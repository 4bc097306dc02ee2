#include "egress/webrtc/ice.h"

#include <stdio.h>
#include <string.h>

#include "base/random.h"

enum {
    LOOP_DIGITS = 2,
    LOOPS_MAX = 256,
    PEER_REFLEXIVE_PRIORITY = 110 << 24 | 65535 << 8 | 255 /* RFC 8445 section 5.1.2.1 */
};

static const char hex_digits[] = "0123456789abcdef";

/* ---- credentials ---- */

/* Five random bits a letter: none of the 32 is likelier, and all are ice-chars (RFC 8839). */
static void write_random(char *out, size_t len)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint8_t bytes[ICE_PASSWORD_TEXT];

    random_bytes(bytes, len);
    for (size_t i = 0; i < len; i++)
        out[i] = letters[bytes[i] % 32];
    out[len] = '\0';
}

static int make_credentials(struct ice *ice, unsigned loop_index, const char *remote_ufrag)
{
    if (loop_index >= LOOPS_MAX)
        return -ERR_TOO_MANY;
    if (strlen(remote_ufrag) >= sizeof(ice->remote_ufrag))
        return -ERR_TOO_LONG;
    ice->ufrag[0] = hex_digits[loop_index / 16];
    ice->ufrag[1] = hex_digits[loop_index % 16];
    write_random(ice->ufrag + LOOP_DIGITS, ICE_UFRAG_TEXT - 1 - LOOP_DIGITS);
    write_random(ice->password, ICE_PASSWORD_TEXT - 1);
    memmove(ice->remote_ufrag, remote_ufrag, strlen(remote_ufrag) + 1); /* may be its own */
    return 0;
}

int ice_init(struct ice *ice, unsigned loop_index, const char *remote_ufrag, int64_t now_us)
{
    *ice = (struct ice){.selected = -1, .checked_us = now_us};
    return make_credentials(ice, loop_index, remote_ufrag);
}

static bool is_ice_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
           c == '/';
}

bool ice_find_ufrag(const uint8_t *bytes, size_t len, char out[ICE_UFRAG_TEXT])
{
    struct stun_message message;
    size_t count = 0;

    if (stun_parse(&message, bytes, len) < 0 || message.class != STUN_REQUEST || !message.username)
        return false;
    while (count < message.username_len && is_ice_char(message.username[count]))
        count++;
    if (count == 0 || count == message.username_len || message.username[count] != ':' ||
        count >= ICE_UFRAG_TEXT)
        return false;
    memcpy(out, message.username, count);
    out[count] = '\0';
    return true;
}

int ice_loop_of(const char *ufrag)
{
    int index = 0;

    for (size_t i = 0; i < LOOP_DIGITS; i++) {
        const char *digit = ufrag[i] ? strchr(hex_digits, ufrag[i]) : NULL;

        if (!digit)
            return -1;
        index = index * 16 + (int)(digit - hex_digits);
    }
    return index;
}

/* USERNAME is "ours:theirs", and nothing else. */
static bool is_for_us(const struct ice *ice, const struct stun_message *message)
{
    size_t ours = strlen(ice->ufrag), theirs = strlen(ice->remote_ufrag);
    const char *username = message->username;

    return username && message->username_len == ours + 1 + theirs &&
           !memcmp(username, ice->ufrag, ours) && username[ours] == ':' &&
           !memcmp(username + ours + 1, ice->remote_ufrag, theirs);
}

/* ---- paths ---- */

static bool is_same_route(const struct ice_route *a, const struct ice_route *b)
{
    if (a->tcp || b->tcp)
        return a->tcp == b->tcp;
    return addr_is_same(&a->remote, &b->remote);
}

/* A NAT that gives another address changes neither the transport nor the family. */
static bool is_same_kind(const struct ice_route *a, const struct ice_route *b)
{
    struct addr x = addr_unmapped(&a->remote), y = addr_unmapped(&b->remote);

    return !a->tcp == !b->tcp && x.storage.ss_family == y.storage.ss_family;
}

static int find_path(const struct ice *ice, const struct ice_route *route)
{
    for (int i = 0; i < ICE_PATHS_MAX; i++)
        if (ice->paths[i].checked_us && is_same_route(&ice->paths[i].route, route))
            return i;
    return -1;
}

/* An empty place, or that of the path which has been silent the longest, if it is stale. The
 * selected one's is not to be had as long as it has consent: browsers check it every five seconds
 * or so. -1 without one. */
static int find_place(const struct ice *ice, int64_t now_us)
{
    int place = -1;

    for (int i = 0; i < ICE_PATHS_MAX; i++) {
        const struct ice_path *path = &ice->paths[i];
        int64_t kept_us = i == ice->selected ? ICE_CONSENT_US : ICE_STALE_US;

        if (!path->checked_us)
            return i;
        if (now_us - path->checked_us >= kept_us &&
            (place < 0 || path->checked_us < ice->paths[place].checked_us))
            place = i;
    }
    return place;
}

/* The index of the route's path, new or known; -1 when there are too many. */
static int take_path(struct ice *ice, const struct ice_route *route, int64_t now_us)
{
    int index = find_path(ice, route);

    if (index >= 0)
        return index;
    index = find_place(ice, now_us);
    if (index < 0)
        return -1;
    if (index == ice->selected)
        ice->selected = -1;
    ice->paths[index] = (struct ice_path){.began_us = now_us};
    return index;
}

/* Whether a path that was not nominated is where the selected one has moved to: only one that
 * began after the selected one's last check can be. */
static bool has_moved_to(const struct ice *ice, const struct ice_path *path, int64_t now_us)
{
    const struct ice_path *old;

    if (ice->selected < 0)
        return false;
    old = &ice->paths[ice->selected];
    return old != path && old->is_nominated && is_same_kind(&old->route, &path->route) &&
           path->began_us > old->checked_us && now_us - old->checked_us >= ICE_SILENT_US;
}

static bool take_check(struct ice *ice, const struct ice_route *from, bool is_nominating,
                       int64_t now_us)
{
    int index = take_path(ice, from, now_us);
    struct ice_path *path;

    if (index < 0)
        return false;
    path = &ice->paths[index];
    path->route = *from;
    path->checked_us = now_us;
    ice->checked_us = now_us;
    if (is_nominating || has_moved_to(ice, path, now_us)) {
        path->is_nominated = true;
        ice->selected = index;
    }
    return true;
}

/* ---- messages ---- */

/* 0, or the code of the error that answers an authentic request. */
static unsigned error_of(const struct stun_message *message)
{
    if (message->unknown_count > 0)
        return 420;
    if (message->is_controlled && message->is_controlling)
        return 400;

    /* A lite agent is the controlled one, always (RFC 8445 section 6.1.1): the viewer switches. */
    return message->is_controlled ? 487 : 0;
}

static bool is_authentic(const struct ice *ice, const struct stun_message *message,
                         const uint8_t *bytes)
{
    return is_for_us(ice, message) && stun_is_authentic(message, bytes, ice->password);
}

size_t ice_input(struct ice *ice, const struct ice_packet *packet, uint8_t reply[STUN_REPLY_MAX],
                 int64_t now_us)
{
    struct stun_message message;
    size_t reply_len;
    unsigned code;

    if (stun_parse(&message, packet->bytes, packet->len) < 0 || message.class != STUN_REQUEST)
        return 0;
    if (!is_authentic(ice, &message, packet->bytes)) {
        ice->refused++;
        return 0;
    }
    code = error_of(&message);
    reply_len = code ? stun_write_error(reply, &message, code, ice->password)
                     : stun_write_success(reply, &message, &packet->from->remote, ice->password);

    /* Checked before the path is taken: one that we can't answer never works for the viewer. */
    if (reply_len > packet->len)
        return 0;
    if (!code && reply_len && !take_check(ice, packet->from, message.use_candidate, now_us)) {
        ice->refused++;
        return 0;
    }
    return reply_len;
}

/* ---- what the session asks ---- */

const struct ice_route *ice_selected(const struct ice *ice, int64_t now_us)
{
    const struct ice_path *path;

    if (ice->selected < 0)
        return NULL;
    path = &ice->paths[ice->selected];
    return now_us - path->checked_us < ICE_CONSENT_US ? &path->route : NULL;
}

bool ice_is_proven(const struct ice *ice, const struct ice_route *from)
{
    return find_path(ice, from) >= 0;
}

void ice_heard(struct ice *ice, const struct ice_route *from, int64_t now_us)
{
    int index = find_path(ice, from);

    if (index < 0)
        return;
    ice->paths[index].checked_us = now_us;
    ice->checked_us = now_us;
}

bool ice_has_expired(const struct ice *ice, int64_t now_us)
{
    return now_us - ice->checked_us >= ICE_CONSENT_US;
}

static int newest_nominated(const struct ice *ice)
{
    int newest = -1;

    for (int i = 0; i < ICE_PATHS_MAX; i++) {
        const struct ice_path *path = &ice->paths[i];

        if (path->checked_us && path->is_nominated &&
            (newest < 0 || path->checked_us > ice->paths[newest].checked_us))
            newest = i;
    }
    return newest;
}

void ice_forget_tcp(struct ice *ice, const void *tcp)
{
    for (int i = 0; tcp && i < ICE_PATHS_MAX; i++) {
        if (ice->paths[i].route.tcp != tcp)
            continue;
        ice->paths[i] = (struct ice_path){0};
        if (ice->selected == i)
            ice->selected = newest_nominated(ice);
    }
}

int ice_restart(struct ice *ice, unsigned loop_index, const char *remote_ufrag)
{
    int err = make_credentials(ice, loop_index, remote_ufrag);

    if (err < 0)
        return err;

    /* What was nominated with the old credentials is neither followed nor fallen back on. */
    for (int i = 0; i < ICE_PATHS_MAX; i++)
        if (i == ice->selected)
            ice->paths[i].is_nominated = false;
        else
            ice->paths[i] = (struct ice_path){0};
    return 0;
}

size_t ice_ask_back(struct ice *ice, uint8_t out[STUN_REPLY_MAX])
{
    char username[UFRAG_TEXT + ICE_UFRAG_TEXT];
    struct stun_check check = {.username = username,
                               .password = ice->remote_password,
                               .priority = PEER_REFLEXIVE_PRIORITY};

    if (ice->selected >= 0 || ice->ask_count == ICE_ASKS_MAX || !*ice->remote_password)
        return 0;
    ice->ask_count++;
    snprintf(username, sizeof(username), "%s:%s", ice->remote_ufrag, ice->ufrag);
    random_bytes(check.transaction, sizeof(check.transaction));
    check.tie_breaker = random_u64();
    return stun_write_check(out, &check);
}
