/* queue_order.c - see queue_internal.h: the locks of the queue, and the order of those that wait. */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/files/atomic_file.h"
#include "persistence/runs/queue_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_DEVICES = 64 };

int queue_lock_open(const char *home, struct err *err)
{
    char *path = path_join(home, "queue.lock");
    int fd = io_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0666, err);
    free(path);
    return fd;
}

bool queue_lock_byte(int fd, off_t byte, bool wait)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    int failed;
    do
        failed = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock);
    while (failed && errno == EINTR);
    return !failed;
}

/* The first of a device's 64 places. */
static off_t queue_places_of(const char *device)
{
    int64_t number = 0;
    bool cuda = str_starts(device, "cuda");
    if (cuda && device[4] == ':' && !str_to_int64(device + 5, &number))
        number = 0;
    return (off_t)QUEUE_MAX_SLOTS * (1 + (cuda ? 1 + (number < 0 ? 0 : number % MOST_DEVICES) : 0));
}

int queue_count_busy(int fd, const char *device)
{
    int busy = 0;
    for (off_t first = queue_places_of(device), k = 0; k < QUEUE_MAX_SLOTS; k++) {
        struct flock asked = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = first + k, .l_len = 1};
        busy += !fcntl(fd, F_OFD_GETLK, &asked) && asked.l_type != F_UNLCK;
    }
    return busy;
}

int queue_busy(const char *home, const char *device)
{
    char *path = path_join(home, "queue.lock");
    int fd = io_open(path, O_RDONLY | O_NOFOLLOW, 0, NULL), busy = fd < 0 ? 0 : queue_count_busy(fd, device);
    if (fd >= 0)
        io->close(fd);
    free(path);
    return busy;
}

int queue_take_place(const char *home, const char *device)
{
    int fd = queue_lock_open(home, NULL);
    off_t first = queue_places_of(device);
    for (off_t k = 0; fd >= 0 && k < QUEUE_MAX_SLOTS; k++)
        if (queue_lock_byte(fd, first + k, false))
            return fd;
    if (fd >= 0)
        io->close(fd);
    return -1;
}

/* {"held", "waiting"}: waiting is an array of {"run", "device"}. */
/* The file may be anybody's: a name in it leads to a run of this home or nowhere. */
static bool is_run_id(const char *id)
{
    return *id && *id != '.' && !strchr(id, '/') && strcmp(id, "trash") != 0;
}

json_t *queue_order_read(const char *home)
{
    char *path = path_join(home, "queue.json");
    json_t *order = js_read(path, JS_STRICT, NULL);
    free(path);
    if (!json_is_array(json_object_get(order, "waiting"))) {
        json_decref(order);
        order = json_pack("{s:b, s:[]}", "held", 0, "waiting");
    }
    json_t *waiting = json_object_get(order, "waiting");
    for (size_t k = json_array_size(waiting); k-- > 0;)
        if (!is_run_id(queue_order_id(waiting, k)))
            json_array_remove(waiting, k);
    return order;
}

bool queue_order_save(const char *home, const json_t *order, struct err *err)
{
    char *path = path_join(home, "queue.json"), *text = js_text(order, 2);
    bool ok = atomic_file_save(path, text, strlen(text), err);
    free(text);
    free(path);
    return ok;
}

const char *queue_order_id(const json_t *waiting, size_t k)
{
    return js_string(json_array_get(waiting, k), "run", "");
}

/* Its place, or the number of those that wait. */
size_t queue_order_place(const json_t *order, const char *id)
{
    const json_t *waiting = json_object_get(order, "waiting");
    size_t k = 0, n = json_array_size(waiting);
    while (k < n && strcmp(queue_order_id(waiting, k), id) != 0)
        k++;
    return k;
}

void queue_order_append(json_t *order, const char *id, const char *device)
{
    json_array_append_new(json_object_get(order, "waiting"), json_pack("{s:s, s:s}", "run", id, "device", device));
}

/* The order, with the queue's lock held; -1 and err. */
/* Those that train or have ended, so that places are counted among those that wait. */
static void leave_out_gone(const char *home, json_t *order)
{
    json_t *waiting = json_object_get(order, "waiting");
    for (size_t k = json_array_size(waiting); k-- > 0;) {
        char *folder = path_join(home, queue_order_id(waiting, k));
        json_t *run = run_read(folder, NULL);
        if (!queue_entry_of(run))
            json_array_remove(waiting, k);
        json_decref(run);
        free(folder);
    }
}

int queue_change_begin(const char *home, json_t **order, struct err *err)
{
    int fd = io_make_folders(home, err) ? queue_lock_open(home, err) : -1;
    if (fd >= 0 && !queue_lock_byte(fd, 0, true)) {
        err_errno(err, ERR_FAILED, errno, "cannot lock the queue of '%s'", home);
        io->close(fd);
        fd = -1;
    }
    *order = fd < 0 ? NULL : queue_order_read(home);
    leave_out_gone(home, *order);
    return fd;
}

void queue_change_end(int fd, json_t *order)
{
    json_decref(order);
    if (fd >= 0)
        io->close(fd);
}
