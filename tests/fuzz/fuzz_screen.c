/* fuzz_screen - the input is what a terminal sends, what a worker printed into log.txt, and a text that is broken into
 * rows. */
#include "base/arena.h"
#include "tui/terminal/input.h"
#include "tui/terminal/text_flow.h"
#include "tui/views/log_tail.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_event(void *context, const struct event *event)
{
    (void)context;
    if (event->kind == EVENT_PASTE && (!event->text || !str_is_utf8(event->text)))
        abort();
    if (event->kind == EVENT_KEY && !event->key)
        abort();
    if (event->kind == EVENT_MOUSE && (event->x < 0 || event->y < 0))
        abort();
}

/* In two pieces, at every place the first byte chooses, with and without a pause. */
static void feed(const uint8_t *data, size_t size)
{
    struct input input = {0};
    size_t cut = size ? data[0] % size : 0;
    input_feed(&input, data, cut, check_event, NULL);
    if (size && data[0] & 1)
        input_timeout(&input, check_event, NULL);
    input_feed(&input, data + cut, size - cut, check_event, NULL);
    input_timeout(&input, check_event, NULL);
    input_release(&input);
}

/* A cleaned line is one line: no escapes, no returns, as long as it looks. */
static void clean(const uint8_t *data, size_t size)
{
    struct str out = {0};
    log_clean((const char *)data, size, &out);
    if (out.length != strlen(str_text(&out)) || strpbrk(str_text(&out), "\r\033\b\t"))
        abort();
    str_release(&out);
}

static void flow(const char *text, int width)
{
    struct grid grid = {0};
    struct text_flow rows = {0};
    grid_resize(&grid, width, 4);
    text_flow_break(&rows, &grid, text, width);
    size_t at = 0;
    for (int i = 0; i < rows.n; i++) {
        if (rows.starts[i] < at || rows.starts[i] > strlen(text))
            abort();
        at = rows.starts[i];
        text_flow_draw(&rows, i, &grid, (struct rect){0, i % 4, width, 1}, (size_t)width, STYLE_STRONG, STYLE_TEXT);
    }
    if (rows.starts[rows.n] != strlen(text))
        abort();
    text_flow_release(&rows);
    grid_release(&grid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    if (!ready)
        setlocale(LC_ALL, "C.UTF-8");
    ready = true;
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    feed(data, size);
    clean(data, size);
    flow(text, 1 + (size ? data[size - 1] % 40 : 0));
    free(text);
    return 0;
}
