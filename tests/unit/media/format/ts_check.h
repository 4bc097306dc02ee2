/* What TR 101 290 asks of a transport stream, priorities 1 and 2, as far as bytes alone tell. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { TS_CHECK_PIDS = 0x2000, TS_CHECK_BYTES = 188, TS_CLOCK_PER_MS = 27000 };

struct ts_check {
    unsigned sync_errors, continuity_errors, errors; /* the last: transport_error_indicator */
    unsigned pats, pmts, pcrs, crc_errors;
    uint16_t pmt_pid, pcr_pid;
    uint8_t counter[TS_CHECK_PIDS]; /* continuity_counter + 1; 0: none yet */
    int64_t clock, first_clock;     /* the newest PCR, 27 MHz */
    int64_t pat_clock, pmt_clock;   /* when those last came */
    int64_t max_pat, max_pmt, max_pcr;
    int64_t max_pts[TS_CHECK_PIDS], pts[TS_CHECK_PIDS]; /* longest wait, last; 90 kHz */
    unsigned late;                                      /* units whose DTS is past, by the PCR */
};

static inline void ts_check_max(int64_t *max, int64_t value)
{
    if (value > *max)
        *max = value;
}

static inline uint32_t ts_check_crc(const uint8_t *bytes, size_t len)
{
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < len * 8; i++) {
        uint32_t bit = (bytes[i / 8] >> (7 - i % 8) & 1) ^ crc >> 31;

        crc = crc << 1 ^ (bit ? 0x04c11db7 : 0);
    }
    return crc;
}

/* at: the section's first byte. */
static inline void ts_check_section(struct ts_check *check, const uint8_t *at, bool is_pat)
{
    size_t len = (size_t)((at[1] & 0xf) << 8 | at[2]) + 3;

    check->crc_errors += len > TS_CHECK_BYTES - 5 || ts_check_crc(at, len) != 0;
    if (is_pat) {
        check->pmt_pid = (uint16_t)((at[10] & 0x1f) << 8 | at[11]);
        if (check->pats++)
            ts_check_max(&check->max_pat, check->clock - check->pat_clock);
        check->pat_clock = check->clock;
        return;
    }
    check->pcr_pid = (uint16_t)((at[8] & 0x1f) << 8 | at[9]);
    if (check->pmts++)
        ts_check_max(&check->max_pmt, check->clock - check->pmt_clock);
    check->pmt_clock = check->clock;
}

static inline void ts_check_pcr(struct ts_check *check, const uint8_t *at)
{
    int64_t base = (int64_t)at[0] << 25 | at[1] << 17 | at[2] << 9 | at[3] << 1 | at[4] >> 7;
    int64_t clock = base * 300 + ((at[4] & 1) << 8 | at[5]);

    if (check->pcrs++)
        ts_check_max(&check->max_pcr, clock - check->clock);
    else
        check->first_clock = check->pat_clock = check->pmt_clock = clock;
    check->clock = clock;
}

static inline int64_t ts_check_time(const uint8_t *at)
{
    return (int64_t)(at[0] >> 1 & 7) << 30 | at[1] << 22 | at[2] >> 1 << 15 | at[3] << 7 |
           at[4] >> 1;
}

/* at: a PES packet's first byte. */
static inline void ts_check_pes(struct ts_check *check, const uint8_t *at, uint16_t pid)
{
    int64_t pts, dts;

    if (memcmp(at, "\0\0\1", 3) != 0 || !(at[7] & 0x80))
        return;
    pts = ts_check_time(at + 9);
    dts = at[7] & 0x40 ? ts_check_time(at + 14) : pts;
    if (check->pts[pid])
        ts_check_max(&check->max_pts[pid], pts - check->pts[pid]);
    check->pts[pid] = pts;
    check->late += check->pcrs && dts * 300 < check->clock;
}

static inline void ts_check_packet(struct ts_check *check, const uint8_t *packet)
{
    uint16_t pid = (uint16_t)((packet[1] & 0x1f) << 8 | packet[2]);
    bool has_payload = packet[3] & 0x10, has_field = packet[3] & 0x20, is_start = packet[1] & 0x40;
    uint8_t counter = packet[3] & 0xf;
    const uint8_t *payload = packet + 4 + (has_field ? 1 + packet[4] : 0);

    check->sync_errors += packet[0] != 0x47;
    check->errors += packet[1] >> 7;
    if (pid != 0x1fff && check->counter[pid] && has_payload && counter != check->counter[pid] % 16)
        check->continuity_errors++;
    if (has_payload)
        check->counter[pid] = (uint8_t)(counter + 1);
    if (has_field && packet[4] && packet[5] & 0x10)
        ts_check_pcr(check, packet + 6);
    if (!has_payload || !is_start)
        return;
    if (pid == 0 || pid == check->pmt_pid)
        ts_check_section(check, payload + 1 + payload[0], pid == 0);
    else
        ts_check_pes(check, payload, pid);
}

static inline void ts_check_push(struct ts_check *check, const uint8_t *bytes, size_t len)
{
    check->sync_errors += len % TS_CHECK_BYTES != 0;
    for (size_t i = 0; i + TS_CHECK_BYTES <= len; i += TS_CHECK_BYTES)
        ts_check_packet(check, bytes + i);
}
