#include "egress/srt/filter.h"

#include <errno.h>
#include <linux/filter.h>
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
    KEYS_MAX = BODY + 16 + 16 + 8 + 2 * 32 /* header, salt, two wrapped keys of 256 bits */
};

enum { HANDSHAKE, KEEPALIVE, ACK, LOSS, SHUTDOWN = 5, EXTENSION = 0x7fff };
enum {
    KEYS_RESPONSE = 4
}; /* an extension: new keys come from us, so only their answer comes back */
enum { INDUCTION = 1 };
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
    AT_ACCEPT = AT_WINDOW + 6,
    AT_DROP
};

#define STEP(code, k) BPF_STMT((code), (k))
#define LOAD(at) STEP(BPF_LD | BPF_W | BPF_ABS, (at))
#define LENGTH STEP(BPF_LD | BPF_W | BPF_LEN, 0)
/* from: this step's own number. */
#define WHEN(test, k, from, yes, no)                                                               \
    BPF_JUMP(BPF_JMP | (test) | BPF_K, (k), (yes) - (from)-1, (no) - (from)-1)

static struct sock_filter steps[] = {
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
    WHEN(BPF_JGT, FILTER_WINDOW_MAX, AT_WINDOW + 4, AT_DROP, AT_WINDOW + 5),
    STEP(BPF_RET | BPF_K, WHOLE),

    STEP(BPF_RET | BPF_K, WHOLE),
    STEP(BPF_RET | BPF_K, 0),
};

_Static_assert(sizeof(steps) / sizeof(*steps) == AT_DROP + 1,
               "every step is where jumps expect it");

int filter_attach(int fd)
{
    struct sock_fprog program = {.len = AT_DROP + 1, .filter = steps};

    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
        return -errno;
    return 0;
}
