#include "egress/srt/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/* The kernel shows the UDP header too: all offsets begin there. */
enum {
    CONTROL = 8,         /* what kind, and its subtype */
    BODY = CONTROL + 16, /* SRT's header is four words */
    HS_MSS = BODY + 12,  /* a handshake's fields */
    HS_WINDOW = BODY + 16,
    HS_REQUEST = BODY + 20,
    HS_BYTES = 48,
    PACKET_MAX = 8 + 1472,
    SMALL_MAX = BODY + 64,
    ACK_MAX = BODY + 32,
    KEYS_WORDS = (16 + 16 + 8 + 2 * 32) / 4, /* header, salt, two wrapped keys of 256 bits */
    KEYS_MAX = BODY + 4 * KEYS_WORDS,
    EXTENSION_WORDS = 128 /* the longest: a stream id */
};

enum { HANDSHAKE, KEEPALIVE, ACK, LOSS, SHUTDOWN = 5, EXTENSION = 0x7fff };
/* Extensions. New keys come from us, so only their answer comes back; groups are never taken. */
enum { KEYS_REQUEST = 3, KEYS_RESPONSE, GROUP = 8 };
enum { INDUCTION = 1 };
enum { M_LENGTH, M_OFFSET }; /* the filter's memory */
#define CONCLUSION 0xffffffffu
#define TOP_BIT 0x80000000u /* of a packet's first word: control; of a lost number: a range */
#define WHOLE 0xffffffffu

/* Where the pieces below begin; a jump says how many steps it leaps over. */
enum {
    AT_KINDS = 8,
    AT_SMALL = AT_KINDS + 6,
    AT_ACK = AT_SMALL + 2,
    AT_LOSS = AT_ACK + 3,
    AT_KEYS = AT_LOSS + 6,
    AT_HANDSHAKE = AT_KEYS + 5,
    AT_WINDOW = AT_HANDSHAKE + 6,
    AT_SHARE = AT_WINDOW + 5,
    AT_EXTENSIONS = AT_SHARE + 6,
    EXTENSIONS = 5,
    EXTENSION_STEPS = 15,
    AT_END = AT_EXTENSIONS + EXTENSIONS * EXTENSION_STEPS,
    AT_ACCEPT = AT_END + 3,
    AT_DROP,
    TOTAL
};

#define STEP(code, k) BPF_STMT((code), (k))
#define LOAD(at) STEP(BPF_LD | BPF_W | BPF_ABS, (at))
#define LENGTH STEP(BPF_LD | BPF_W | BPF_LEN, 0)
/* from: this step's own number. */
#define WHEN(test, k, from, yes, no)                                                               \
    BPF_JUMP(BPF_JMP | (test) | BPF_K, (k), (yes) - (from)-1, (no) - (from)-1)

#define WHEN_X(test, from, yes, no)                                                                \
    BPF_JUMP(BPF_JMP | (test) | BPF_X, 0, (yes) - (from)-1, (no) - (from)-1)

/* One of a handshake's extensions: its type and length in words, in one word; then its content. */
#define EXTENSION_AT(n) EXTENSION_FROM(AT_EXTENSIONS + (n)*EXTENSION_STEPS)
#define EXTENSION_FROM(at)                                                                         \
    STEP(BPF_LD | BPF_MEM, M_OFFSET), STEP(BPF_LDX | BPF_MEM, M_LENGTH),                           \
        WHEN_X(BPF_JEQ, (at) + 2, AT_ACCEPT, (at) + 3), STEP(BPF_MISC | BPF_TAX, 0),               \
        STEP(BPF_LD | BPF_W | BPF_IND, 0),                                                         \
        WHEN(BPF_JGE, GROUP << 16, (at) + 5, AT_DROP, (at) + 6),                                   \
        WHEN(BPF_JGE, (KEYS_REQUEST + 1) << 16, (at) + 6, (at) + 8, (at) + 7),                     \
        WHEN(BPF_JGT, KEYS_REQUEST << 16 | KEYS_WORDS, (at) + 7, AT_DROP, (at) + 8),               \
        STEP(BPF_ALU | BPF_AND | BPF_K, 0xffff), WHEN(BPF_JEQ, 0, (at) + 9, AT_DROP, (at) + 10),   \
        WHEN(BPF_JGT, EXTENSION_WORDS, (at) + 10, AT_DROP, (at) + 11),                             \
        STEP(BPF_ALU | BPF_LSH | BPF_K, 2), STEP(BPF_ALU | BPF_ADD | BPF_K, 4),                    \
        STEP(BPF_ALU | BPF_ADD | BPF_X, 0), STEP(BPF_ST, M_OFFSET)

static const struct sock_filter steps[] = {
    /* Whole words, at least a header; control, never media. */
    LENGTH,
    WHEN(BPF_JGE, BODY, 1, 2, AT_DROP),
    WHEN(BPF_JSET, 3, 2, AT_DROP, 3),
    WHEN(BPF_JGT, PACKET_MAX, 3, AT_DROP, 4),
    LOAD(CONTROL),
    WHEN(BPF_JSET, TOP_BIT, 5, 6, AT_DROP),
    STEP(BPF_ALU | BPF_RSH | BPF_K, 16),
    STEP(BPF_ALU | BPF_AND | BPF_K, 0x7fff),

    WHEN(BPF_JEQ, HANDSHAKE, AT_KINDS, AT_HANDSHAKE, AT_KINDS + 1),
    WHEN(BPF_JEQ, ACK, AT_KINDS + 1, AT_ACK, AT_KINDS + 2),
    WHEN(BPF_JEQ, LOSS, AT_KINDS + 2, AT_LOSS, AT_KINDS + 3),
    WHEN(BPF_JEQ, EXTENSION, AT_KINDS + 3, AT_KEYS, AT_KINDS + 4),
    WHEN(BPF_JEQ, KEEPALIVE, AT_KINDS + 4, AT_SMALL, AT_KINDS + 5),
    WHEN(BPF_JEQ, SHUTDOWN, AT_KINDS + 5, AT_SMALL, AT_DROP),

    LENGTH,
    WHEN(BPF_JGT, SMALL_MAX, AT_SMALL + 1, AT_DROP, AT_ACCEPT),

    LENGTH,
    WHEN(BPF_JGE, BODY + 4, AT_ACK + 1, AT_ACK + 2, AT_DROP),
    WHEN(BPF_JGT, ACK_MAX, AT_ACK + 2, AT_DROP, AT_ACCEPT),

    /* The last word must not begin a range: libsrt would take the end from behind the packet. */
    LENGTH,
    WHEN(BPF_JGE, BODY + 4, AT_LOSS + 1, AT_LOSS + 2, AT_DROP),
    STEP(BPF_ALU | BPF_SUB | BPF_K, 4),
    STEP(BPF_MISC | BPF_TAX, 0),
    STEP(BPF_LD | BPF_W | BPF_IND, 0),
    WHEN(BPF_JSET, TOP_BIT, AT_LOSS + 5, AT_DROP, AT_ACCEPT),

    LOAD(CONTROL),
    STEP(BPF_ALU | BPF_AND | BPF_K, 0xffff),
    WHEN(BPF_JEQ, KEYS_RESPONSE, AT_KEYS + 2, AT_KEYS + 3, AT_DROP),
    LENGTH,
    WHEN(BPF_JGT, KEYS_MAX, AT_KEYS + 4, AT_DROP, AT_ACCEPT),

    /* Asking for a cookie, whose answer is as long; or with it. */
    LENGTH,
    WHEN(BPF_JGE, BODY + HS_BYTES, AT_HANDSHAKE + 1, AT_HANDSHAKE + 2, AT_DROP),
    LOAD(HS_REQUEST),
    WHEN(BPF_JEQ, CONCLUSION, AT_HANDSHAKE + 3, AT_WINDOW, AT_HANDSHAKE + 4),
    WHEN(BPF_JEQ, INDUCTION, AT_HANDSHAKE + 4, AT_HANDSHAKE + 5, AT_DROP),
    STEP(BPF_RET | BPF_K, WHOLE),

    LOAD(HS_MSS),
    WHEN(BPF_JGE, FILTER_MSS_MIN, AT_WINDOW + 1, AT_WINDOW + 2, AT_DROP),
    LOAD(HS_WINDOW),
    WHEN(BPF_JGE, FILTER_WINDOW_MIN, AT_WINDOW + 3, AT_WINDOW + 4, AT_DROP),
    WHEN(BPF_JGT, FILTER_WINDOW_MAX, AT_WINDOW + 4, AT_DROP, AT_SHARE),

    /* How much of a flood comes through: filter_attach sets the share. */
    LOAD((uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM)),
    WHEN(BPF_JGT, WHOLE, AT_SHARE + 1, AT_DROP, AT_SHARE + 2),
    LENGTH,
    STEP(BPF_ST, M_LENGTH),
    STEP(BPF_LD | BPF_IMM, BODY + HS_BYTES),
    STEP(BPF_ST, M_OFFSET),

    /* Each within the packet; at its end all is well. */
    EXTENSION_AT(0),
    EXTENSION_AT(1),
    EXTENSION_AT(2),
    EXTENSION_AT(3),
    EXTENSION_AT(4),
    STEP(BPF_LD | BPF_MEM, M_OFFSET),
    STEP(BPF_LDX | BPF_MEM, M_LENGTH),
    WHEN_X(BPF_JEQ, AT_END + 2, AT_ACCEPT, AT_DROP),

    STEP(BPF_RET | BPF_K, WHOLE),
    STEP(BPF_RET | BPF_K, 0),
};

_Static_assert(sizeof(steps) / sizeof(*steps) == TOTAL, "every step is where jumps expect it");

int filter_attach(int fd, unsigned level)
{
    struct sock_filter own[TOTAL];
    struct sock_fprog program = {.len = TOTAL, .filter = own};

    memcpy(own, steps, sizeof(own));
    own[AT_SHARE + 1].k = WHOLE >> (FILTER_LEVEL_BITS * level);
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
        return -errno;
    return 0;
}
