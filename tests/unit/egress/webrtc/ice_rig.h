/* One viewer's ICE-lite agent with a clock of our own, and what a viewer sends it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "egress/webrtc/ice.h"

#include "unit/egress/webrtc/stun_builder.h"

enum { SECOND = 1000000, LOOP = 0x1f };

struct rig {
    struct ice ice;
    int64_t now_us;
    uint8_t reply[STUN_REPLY_MAX];
};

static inline struct rig *rig_of(void **state)
{
    return *state;
}

static inline int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    if (!rig)
        return -1;
    rig->now_us = 1000 * (int64_t)SECOND;
    *state = rig;
    return ice_init(&rig->ice, LOOP, "h6vY", rig->now_us);
}

static inline int tear_down(void **state)
{
    free(*state);
    return 0;
}

static inline struct ice_route udp(const char *text)
{
    return (struct ice_route){.remote = built_addr(text)};
}

/* A request as the RFC has it but for its end; role is a type of attribute, 0 for none. */
static inline struct built begin_check(const struct rig *rig, uint16_t role)
{
    struct built built = built_begin(TYPE_REQUEST);
    char username[ICE_UFRAG_TEXT + UFRAG_TEXT];

    snprintf(username, sizeof(username), "%s:%s", rig->ice.ufrag, rig->ice.remote_ufrag);
    built_attribute(&built, AT_USERNAME, username, strlen(username));
    if (role)
        built_number(&built, role, 0x1122334455667788, 8);
    built_number(&built, AT_PRIORITY, 0x6e0001ff, 4);
    return built;
}

static inline void end_check(const struct rig *rig, struct built *built)
{
    built_integrity(built, rig->ice.password);
    built_fingerprint(built);
}

static inline struct built make_check(const struct rig *rig, bool is_nominating)
{
    struct built built = begin_check(rig, AT_CONTROLLING);

    if (is_nominating)
        built_attribute(&built, AT_USE_CANDIDATE, NULL, 0);
    end_check(rig, &built);
    return built;
}

/* Whatever goes in, no more comes out. */
static inline size_t input(struct rig *rig, const struct ice_route *from, const struct built *built)
{
    uint8_t *exact = malloc(built->len ? built->len : 1);
    struct ice_packet packet = {from, exact, built->len};
    size_t len;

    assert_non_null(exact);
    memcpy(exact, built->bytes, built->len);
    len = ice_input(&rig->ice, &packet, rig->reply, rig->now_us);
    free(exact);
    assert_true(len <= built->len);
    return len;
}

static inline size_t check_route(struct rig *rig, const struct ice_route *from, bool is_nominating)
{
    struct built built = make_check(rig, is_nominating);

    return input(rig, from, &built);
}

static inline size_t check(struct rig *rig, const char *from)
{
    struct ice_route route = udp(from);

    return check_route(rig, &route, false);
}

static inline size_t nominate(struct rig *rig, const char *from)
{
    struct ice_route route = udp(from);

    return check_route(rig, &route, true);
}

static inline bool is_selected(const struct rig *rig, const char *text)
{
    const struct ice_route *route = ice_selected(&rig->ice, rig->now_us);
    struct addr want = built_addr(text);

    return route && !route->tcp && addr_is_same(&route->remote, &want);
}

static inline bool is_proven(const struct rig *rig, const char *text)
{
    struct ice_route route = udp(text);

    return ice_is_proven(&rig->ice, &route);
}

static inline unsigned count_paths(const struct rig *rig)
{
    unsigned count = 0;

    for (int i = 0; i < ICE_PATHS_MAX; i++)
        count += rig->ice.paths[i].checked_us != 0;
    return count;
}

static inline void assert_silence(struct rig *rig, const struct built *built)
{
    struct ice_route from = udp("192.0.2.66:6666");
    uint64_t refused = rig->ice.refused;
    struct ice before = rig->ice;

    assert_int_equal(input(rig, &from, built), 0);
    assert_true(rig->ice.refused == refused + 1);
    rig->ice.refused = refused;
    assert_memory_equal(&rig->ice, &before, sizeof(before));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
