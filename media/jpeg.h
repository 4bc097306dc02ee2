/* media/jpeg.h: baseline JPEG files as RTP carries them (ITU-T T.81; RFC 2435). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/writer.h"

enum { JPEG_TABLE_BYTES = 64, JPEG_TABLES_MAX = 4, JPEG_TYPE_422 = 0, JPEG_TYPE_420 = 1 };

/* What a file's headers say. Pointers are into the file. */
struct jpeg_picture {
    uint16_t width, height;
    uint8_t type;                           /* RFC 2435's: JPEG_TYPE_422 or JPEG_TYPE_420 */
    uint16_t restart_interval;              /* in MCUs, 0: none */
    const uint8_t *tables[JPEG_TABLES_MAX]; /* quantisers of 64 bytes in zigzag order, or NULL */
    uint8_t luma_table, chroma_table;       /* which of them each uses */
    const uint8_t *scan;                    /* entropy-coded bytes, without the end marker */
    size_t scan_len;
};

/* 0; -ERR_PROTOCOL; or -ERR_UNSUPPORTED for what RFC 2435 can't carry: not baseline, other
 * samplings than 4:2:2 and 4:2:0, own Huffman tables, 16-bit quantisers. */
int jpeg_parse(struct jpeg_picture *out, const uint8_t *bytes, size_t len) MUST_CHECK;

/* Headers up to the scan of a file with the standard Huffman tables, by RFC 2435 appendix B.
 * quantisers holds one table of 64 bytes, or two: luma, then chroma. */
struct jpeg_headers {
    uint8_t type; /* JPEG_TYPE_422 or JPEG_TYPE_420 */
    uint16_t width, height, restart_interval;
    const uint8_t *quantisers;
    unsigned quantiser_count;
};
void jpeg_write_headers(struct writer *writer, const struct jpeg_headers *headers);

/* The two tables of a static Q, 1 to 99 (RFC 2435 appendix A). */
void jpeg_make_tables(uint8_t out[2 * JPEG_TABLE_BYTES], unsigned q);
