/* cli_generate.c - antler predict CHECKPOINT --prompt TEXT: what a model of text writes behind it, as it comes. */
#include "base/io.h"
#include "tui/client/cli_request.h"
#include "tui/client/prediction.h"
#include "tui/client/worker_client.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A terminal is spared what could move its cursor or turn its direction; a pipe gets what the model wrote. */
static void print_text(const char *text)
{
    uint32_t point;
    for (bool terminal = isatty(STDOUT_FILENO); *text; text++) {
        size_t n = terminal && *text != '\n' && *text != '\t' ? str_unsafe_at(text, &point) : 0;
        if (!n) {
            putchar(*text);
            continue;
        }
        printf("\\u{%04X}", point);
        text += n - 1;
    }
}

struct printing {
    const char *prompt; /* NULL once it is printed */
    size_t printed;     /* bytes of what the model wrote */
};

/* The part that has not been printed yet; before the first of it the prompt, which is refused until then. */
static void print_new(struct printing *p, const char *written)
{
    if (p->prompt)
        print_text(p->prompt);
    p->prompt = NULL;
    if (strlen(written) > p->printed)
        print_text(written + p->printed);
    p->printed = strlen(written);
    fflush(stdout);
}

static bool print_progress(void *context, const json_t *line)
{
    print_new(context, js_string(line, "written", ""));
    return !ferror(stdout);
}

static bool add_number(const struct cli *cli, json_t *request, const char *option, const char *key, double min,
                       double max, bool whole, struct err *err)
{
    double value = NAN;
    if (!cli_number(cli, option, min, max, &value, err))
        return false;
    if (isnan(value))
        return true;
    if (whole && value != floor(value))
        return err_set(err, ERR_USAGE, "%s: found %s, expected a whole number", option, cli_option(cli, option));
    json_object_set_new(request, key, whole ? json_integer((json_int_t)value) : json_real(value));
    return true;
}

static bool add_wishes(const struct cli *cli, json_t *request, struct err *err)
{
    static const char *const others[] = {"--input", "--output", "--batch-size"};
    const char *prompt = cli_option(cli, "--prompt");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (cli_option(cli, others[i]))
            return err_set(err, ERR_USAGE, "--prompt and %s do not go together", others[i]);
    if (!str_is_utf8(prompt))
        return err_set(err, ERR_USAGE, "--prompt: the text is not UTF-8");
    json_object_set_new(request, "prompt", json_string(prompt));
    return add_number(cli, request, "--tokens", "tokens", 1, 1e6, true, err) &&
           add_number(cli, request, "--temperature", "temperature", 0, 100, false, err) &&
           add_number(cli, request, "--seed", "seed", 0, 0x1p53, true, err);
}

static json_t *find_kept(const json_t *request)
{
    double made;
    const struct text_wishes wishes = {.prompt = js_string(request, "prompt", ""),
                                       .tokens = js_int(request, "tokens", WRITTEN_TOKENS),
                                       .seed = js_int(request, "seed", 0),
                                       .temperature = js_double(request, "temperature", WRITTEN_TEMPERATURE)};
    json_t *kept = written_kept(js_string(request, "checkpoint", ""), &wishes, &made), *result = json_copy(kept);
    json_decref(kept);
    if (result)
        cli_say_kept(result, made);
    return result;
}

bool cli_generate(struct cli *cli, json_t *request, struct err *err)
{
    struct printing printing = {.prompt = cli_option(cli, "--prompt")};
    if (!add_wishes(cli, request, err))
        return false;
    bool own = cli_is_own(request);
    json_t *result = own && !cli_option(cli, "--again") ? find_kept(request) : NULL;
    if (!result) {
        result = worker_ask("generate", request, cli->json ? NULL : print_progress, &printing, err);
        if (result && own)
            written_keep(js_string(request, "checkpoint", ""), result);
    }
    if (result && cli->json) {
        cli_print_json(result);
        return true;
    }
    if (result)
        print_new(&printing, js_string(result, "text", ""));
    if (!printing.prompt)
        putchar('\n');
    json_decref(result);
    return result != NULL;
}
