/* Calls a fuzz target with every file of a folder, at every cut up to 256 bytes: how plain
 * `make check` runs the corpora without libFuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void replay_file(const char *folder, const char *name)
{
    static uint8_t bytes[1 << 20];
    char path[4096];
    uint8_t *copy;
    size_t len;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (!file)
        return;
    len = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    for (size_t cut = 0; cut <= len; cut += cut < 256 ? 1 : len - cut ? len - cut : 1) {
        copy = malloc(cut ? cut : 1); /* exactly as long, so that the sanitizer sees an overrun */
        if (!copy)
            abort();
        for (size_t i = 0; i < cut; i++)
            copy[i] = bytes[i];
        LLVMFuzzerTestOneInput(copy, cut);
        free(copy);
    }
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    struct dirent *entry;
    int count = 0;

    if (!folder) {
        fprintf(stderr, "usage: %s FOLDER: no such folder\n", argv[0]);
        return 2;
    }
    while ((entry = readdir(folder))) {
        if (entry->d_name[0] == '.')
            continue;
        replay_file(argv[1], entry->d_name);
        count++;
    }
    closedir(folder);
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    printf("%d files\n", count);
    return count > 0 ? 0 : 1;
}
