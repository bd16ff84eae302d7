/* run_pictures.h - the pictures that a run keeps beside its curves: pictures/<tag>@<step>.png (or .jpg) in its folder.
 *
 * Beside it may stand what was written under it: pictures/<tag>@<step>.png.txt.
 *
 * They come from histories of other tools (persistence/sources). A tag is any text: what a file's name cannot hold is
 * written as %XX, and of a very long one the end is replaced by ~ and a hash. Files are of strangers: here only their
 * names are read; pixels are decoded by the worker, in the sandbox (job `picture`).
 *
 *     const struct picture_tag *tags;
 *     if (!run_pictures_list(folder, &arena, &tags, &n, err)) ...
 *     tags[0].tag, tags[0].pictures[k].step, tags[0].pictures[k].file
 */
#ifndef PERSISTENCE_RUNS_RUN_PICTURES_H
#define PERSISTENCE_RUNS_RUN_PICTURES_H

#include "base/arena.h"
#include "base/err.h"

#include <stdint.h>

struct run_picture {
    int64_t step, size_bytes;
    const char *file; /* its name in pictures/ */
};
struct picture_tag {
    const char *tag;                    /* as the other tool calls it; any bytes but zero */
    const struct run_picture *pictures; /* by step, n of them, at least one */
    size_t n;
};

/* A file's name for a picture. suffix: ".png". free() it. */
char *run_picture_name(const char *tag, int64_t step, const char *suffix);
/* "<folder>/pictures". free() it. */
char *run_pictures_folder(const char *folder);
/* Tags in the order of their names, all in the arena. A run without pictures has none, which is no error. */
bool run_pictures_list(const char *folder, struct arena *arena, const struct picture_tag **tags, size_t *n,
                       struct err *err) MUST_USE;
/* Puts a caption beside a picture; of a very long one its beginning. */
bool run_picture_write_caption(const char *pictures_folder, const char *file, const char *caption,
                               struct err *err) MUST_USE;
/* What stands beside it; "" where there is none. free() it. */
char *run_picture_caption(const char *pictures_folder, const char *file);
/* Differs when pictures came or went; 0: there are none. */
int64_t run_pictures_stamp(const char *folder);
/* Removes all of them: the history they belong to is read anew. */
void run_pictures_clear(const char *folder);

#endif
