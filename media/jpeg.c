#include "media/jpeg.h"

#include <string.h>

#include "base/reader.h"

enum jpeg_marker {
    SOF0 = 0xc0,
    DHT = 0xc4,
    SOF15 = 0xcf,
    RST0 = 0xd0,
    SOI = 0xd8,
    EOI = 0xd9,
    SOS = 0xda,
    DQT = 0xdb,
    DRI = 0xdd
};

/* The quantisers that Q scales (T.81 tables K.1 and K.2), in zigzag order. */
static const uint8_t standard_quantisers[2 * JPEG_TABLE_BYTES] = {
    16,  11,  12,  14, 12,  10,  16, 14,  13, 14, 18, 17, 16,  19,  24,  40, 26, 24,  22,
    22,  24,  49,  35, 37,  29,  40, 58,  51, 61, 60, 57, 51,  56,  55,  64, 72, 92,  78,
    64,  68,  87,  69, 55,  56,  80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113, 121,
    112, 100, 120, 92, 101, 103, 99, 17,  18, 18, 24, 21, 24,  47,  26,  26, 47, 99,  66,
    56,  66,  99,  99, 99,  99,  99, 99,  99, 99, 99, 99, 99,  99,  99,  99, 99, 99,  99,
    99,  99,  99,  99, 99,  99,  99, 99,  99, 99, 99, 99, 99,  99,  99,  99, 99, 99,  99,
    99,  99,  99,  99, 99,  99,  99, 99,  99, 99, 99, 99, 99,  99};

/* The Huffman tables that RFC 2435 implies (T.81 tables K.3 to K.6): how many codes of each
 * length, and the symbols. */
struct huffman {
    uint8_t id; /* class and destination, as in a DHT segment */
    uint8_t counts[16];
    uint8_t symbol_count;
    const uint8_t *symbols;
};

static const uint8_t dc_symbols[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

static const uint8_t luma_symbols[] = {
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61,
    0x07, 0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52,
    0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25,
    0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45,
    0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64,
    0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83,
    0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
    0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6,
    0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3,
    0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8,
    0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa};

static const uint8_t chroma_symbols[] = {
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61,
    0x71, 0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33,
    0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18,
    0x19, 0x1a, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44,
    0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63,
    0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a,
    0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97,
    0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4,
    0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca,
    0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7,
    0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa};

static const struct huffman standard_huffman[4] = {
    {0x00, {0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0}, 12, dc_symbols},
    {0x10, {0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d}, 162, luma_symbols},
    {0x01, {0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0}, 12, dc_symbols},
    {0x11, {0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77}, 162, chroma_symbols},
};

static int parse_quantisers(struct jpeg_picture *out, struct reader *segment)
{
    while (!reader_is_done(segment)) {
        uint8_t id = reader_u8(segment);

        if (id >> 4)
            return -ERR_UNSUPPORTED;
        if (id >= JPEG_TABLES_MAX)
            return -ERR_PROTOCOL;
        out->tables[id] = reader_take(segment, JPEG_TABLE_BYTES);
    }
    return reader_is_ok(segment) ? 0 : -ERR_PROTOCOL;
}

/* Receivers take the standard tables for granted: so they must be what the file has. */
static int check_huffman(struct reader *segment)
{
    while (!reader_is_done(segment)) {
        uint8_t id = reader_u8(segment);
        const uint8_t *counts = reader_take(segment, 16);
        const uint8_t *symbols;
        size_t count = 0;
        bool is_standard = false;

        for (unsigned i = 0; counts && i < 16; i++)
            count += counts[i];
        symbols = reader_take(segment, count);
        for (unsigned i = 0; symbols && i < 4; i++) {
            const struct huffman *huffman = &standard_huffman[i];

            is_standard |= huffman->id == id && !memcmp(huffman->counts, counts, 16) &&
                           huffman->symbol_count == count &&
                           !memcmp(huffman->symbols, symbols, count);
        }
        if (reader_is_ok(segment) && !is_standard)
            return -ERR_UNSUPPORTED;
    }
    return reader_is_ok(segment) ? 0 : -ERR_PROTOCOL;
}

static int parse_frame(struct jpeg_picture *out, struct reader *segment)
{
    uint8_t depth = reader_u8(segment);
    uint8_t sampling[3];

    out->height = reader_u16(segment);
    out->width = reader_u16(segment);
    if (depth != 8 || reader_u8(segment) != 3)
        return reader_is_ok(segment) ? -ERR_UNSUPPORTED : -ERR_PROTOCOL;
    for (unsigned i = 0; i < 3; i++) {
        uint8_t table;

        reader_u8(segment); /* component's id */
        sampling[i] = reader_u8(segment);
        table = reader_u8(segment);
        if (table >= JPEG_TABLES_MAX)
            return -ERR_PROTOCOL;
        if (!i)
            out->luma_table = table;
        else
            out->chroma_table = table;
    }
    if (!reader_is_ok(segment) || !out->width || !out->height)
        return -ERR_PROTOCOL;
    if (sampling[1] != 0x11 || sampling[2] != 0x11 || (sampling[0] != 0x21 && sampling[0] != 0x22))
        return -ERR_UNSUPPORTED;
    out->type = sampling[0] == 0x21 ? JPEG_TYPE_422 : JPEG_TYPE_420;
    return 0;
}

/* Restart and stuffing follow an FF within a scan: anything else ends it. */
static void find_scan_end(struct jpeg_picture *out, const struct reader *reader)
{
    const uint8_t *at = reader->at;

    out->scan = at;
    for (; reader->end - at >= 2; at++) {
        if (at[0] == 0xff && at[1] != 0xff && at[1] && (at[1] < RST0 || at[1] >= SOI))
            break;
    }
    out->scan_len = (size_t)((reader->end - at >= 2 ? at : reader->end) - reader->at);
}

static int parse_segment(struct jpeg_picture *out, uint8_t marker, struct reader segment)
{
    switch (marker) {
    case DQT:
        return parse_quantisers(out, &segment);
    case DHT:
        return check_huffman(&segment);
    case SOF0:
        return parse_frame(out, &segment);
    case DRI:
        out->restart_interval = reader_u16(&segment);
        return reader_is_ok(&segment) ? 0 : -ERR_PROTOCOL;
    default:
        return marker > SOF0 && marker <= SOF15 ? -ERR_UNSUPPORTED : 0;
    }
}

int jpeg_parse(struct jpeg_picture *out, const uint8_t *bytes, size_t len)
{
    struct reader reader = reader_of(bytes, len);
    int err = reader_u16(&reader) == (0xff00 | SOI) ? 0 : -ERR_PROTOCOL;

    *out = (struct jpeg_picture){0};
    while (!err) {
        uint8_t marker = 0xff;
        struct reader segment;
        size_t segment_len;

        if (reader_u8(&reader) != 0xff)
            return -ERR_PROTOCOL;
        while (marker == 0xff && !reader_is_done(&reader))
            marker = reader_u8(&reader);
        segment_len = reader_u16(&reader);
        if (segment_len < 2)
            return -ERR_PROTOCOL;
        segment = reader_sub(&reader, segment_len - 2);
        if (!reader_is_ok(&reader))
            return -ERR_PROTOCOL;
        if (marker == SOS)
            break;
        err = parse_segment(out, marker, segment);
    }
    if (err)
        return err;
    if (!out->width || !out->tables[out->luma_table] || !out->tables[out->chroma_table])
        return -ERR_PROTOCOL;
    find_scan_end(out, &reader);
    return out->scan_len ? 0 : -ERR_PROTOCOL;
}

static void write_quantisers(struct writer *writer, const struct jpeg_headers *headers)
{
    for (unsigned i = 0; i < headers->quantiser_count && i < 2; i++) {
        writer_uint(writer, 0xff00 | DQT, 2);
        writer_uint(writer, 3 + JPEG_TABLE_BYTES, 2);
        writer_uint(writer, i, 1);
        writer_put(writer, headers->quantisers + (size_t)i * JPEG_TABLE_BYTES, JPEG_TABLE_BYTES);
    }
}

static void write_frame(struct writer *writer, const struct jpeg_headers *headers)
{
    unsigned chroma_table = headers->quantiser_count > 1 ? 1 : 0;

    writer_uint(writer, 0xff00 | SOF0, 2);
    writer_uint(writer, 17, 2);
    writer_uint(writer, 8, 1);
    writer_uint(writer, headers->height, 2);
    writer_uint(writer, headers->width, 2);
    writer_uint(writer, 3, 1);
    for (unsigned i = 0; i < 3; i++) {
        writer_uint(writer, i + 1, 1);
        writer_uint(writer, i ? 0x11 : headers->type == JPEG_TYPE_422 ? 0x21 : 0x22, 1);
        writer_uint(writer, i ? chroma_table : 0, 1);
    }
}

void jpeg_write_headers(struct writer *writer, const struct jpeg_headers *headers)
{
    static const uint8_t scan[] = {0xff, SOS, 0, 12, 3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0};

    writer_uint(writer, 0xff00 | SOI, 2);
    write_quantisers(writer, headers);
    if (headers->restart_interval) {
        writer_uint(writer, 0xff00 | DRI, 2);
        writer_uint(writer, 4, 2);
        writer_uint(writer, headers->restart_interval, 2);
    }
    write_frame(writer, headers);
    for (unsigned i = 0; i < 4; i++) {
        writer_uint(writer, 0xff00 | DHT, 2);
        writer_uint(writer, 19u + standard_huffman[i].symbol_count, 2);
        writer_uint(writer, standard_huffman[i].id, 1);
        writer_put(writer, standard_huffman[i].counts, 16);
        writer_put(writer, standard_huffman[i].symbols, standard_huffman[i].symbol_count);
    }
    writer_put(writer, scan, sizeof(scan));
}

void jpeg_make_tables(uint8_t out[2 * JPEG_TABLE_BYTES], unsigned q)
{
    unsigned factor, scale;

    factor = q < 1 ? 1 : q > 99 ? 99 : q;
    scale = factor < 50 ? 5000 / factor : 200 - factor * 2;
    for (unsigned i = 0; i < 2 * JPEG_TABLE_BYTES; i++) {
        unsigned value = (standard_quantisers[i] * scale + 50) / 100;

        out[i] = (uint8_t)(value < 1 ? 1 : value > 255 ? 255 : value);
    }
}
