/* bounded.c - runs a fuzz target without libFuzzer, a bounded number of times under ctest: the files that are named,
 * and changes of them from a fixed seed.
 *
 *     bounded ROUNDS PREFIX=FILE...        PREFIX: bytes in hex that go in front of the file
 */
#include "base/arena.h"
#include "base/io.h"
#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t drawn;
static uint32_t draw(uint32_t below)
{
    return below ? rng_u32(1, 1, 0, drawn++) % below : 0;
}

/* Bytes changed, a piece cut out, a piece put in twice. */
static size_t change(uint8_t *data, size_t size, size_t room)
{
    for (uint32_t k = draw(6); k > 0 && size; k--)
        data[draw((uint32_t)size)] = (uint8_t)draw(256);
    size_t at = draw((uint32_t)size), n = draw((uint32_t)(size - at) < 64 ? (uint32_t)(size - at) : 64);
    switch (draw(4)) {
    case 0:
        memmove(data + at, data + at + n, size - at - n);
        return size - n;
    case 1:
        if (size + n > room)
            return size;
        memmove(data + at + n, data + at, size - at);
        return size + n;
    case 2:
        return at;
    default:
        return size;
    }
}

static void run(const char *argument, int rounds)
{
    struct err err = {0};
    const char *equals = strchr(argument, '=');
    size_t n_prefix = (size_t)(equals - argument) / 2, size;
    char *file;
    if (!io_read_file(equals + 1, 1 << 20, &file, &size, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    size_t room = n_prefix + 2 * size + 64;
    uint8_t *whole = xcalloc(1, room), *changed = xcalloc(1, room);
    for (size_t i = 0; i < n_prefix; i++)
        whole[i] = (uint8_t)strtoul((char[]){argument[2 * i], argument[2 * i + 1], 0}, NULL, 16);
    memcpy(whole + n_prefix, file, size);
    LLVMFuzzerTestOneInput(whole, n_prefix + size);
    for (int k = 0; k < rounds; k++) {
        memcpy(changed, whole, n_prefix + size);
        size_t n = change(changed + n_prefix, size, room - n_prefix);
        uint8_t *exact = xmalloc(n_prefix + n + 1); /* so that a byte too far is seen by the sanitizer */
        memcpy(exact, changed, n_prefix + n);
        LLVMFuzzerTestOneInput(exact, n_prefix + n);
        free(exact);
    }
    free(whole);
    free(changed);
    free(file);
}

int main(int argc, char **argv)
{
    for (int a = 2; a < argc; a++)
        run(argv[a], atoi(argv[1]));
    return 0;
}
