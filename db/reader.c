#include <errno.h>
#include <stdlib.h>

#include "db/queue.h"

int store_reader_open(struct store_reader **out, struct store *store)
{
    struct store_reader *reader = calloc(1, sizeof(*reader));
    int err;

    if (!reader)
        return -ENOMEM;
    err = db_open(&reader->db, store->path, false, NULL);
    if (err) {
        free(reader);
        return err;
    }
    *out = reader;
    return 0;
}

void store_reader_close(struct store_reader *reader)
{
    if (!reader)
        return;
    db_close(&reader->db);
    free(reader);
}
