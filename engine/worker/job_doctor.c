/* job_doctor.c - what this machine gives the engine: sandbox, kernels and BLAS, processor, devices. */
#include "base/io.h"
#include "engine/cpu/rows.h"
#include "engine/cpu/threads.h"
#include "engine/plan/backend.h"
#include "engine/worker/jobs.h"
#include "persistence/keras/sandbox.h"

#include <stdlib.h>
#include <string.h>

static json_t *sandbox_json(json_t *warnings)
{
    struct str report = {0};
    struct sandbox_state s = sandbox_self_test(&report);
    json_t *json = json_pack("{s:s,s:b,s:b,s:b,s:b,s:b,s:b,s:b}", "text", str_text(&report), "landlock", s.landlock,
                             "seccomp", s.seccomp, "no_open", s.no_open, "no_socket", s.no_socket, "no_exec", s.no_exec,
                             "no_code", s.no_code, "no_write", s.no_write);
    if (!s.no_open || !s.no_socket || !s.no_exec)
        json_array_append_new(
            warnings, json_string("the sandbox does not hold completely: open model files of strangers elsewhere"));
    str_release(&report);
    return json;
}

/* systemd may be set to end everything of a user who logs out, detached or not. */
static void warn_of_logout(json_t *warnings)
{
    char *text = NULL;
    size_t size;
    if (!io_read_file("/etc/systemd/logind.conf", 1 << 20, &text, &size, NULL))
        return;
    for (char *rest = text, *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        if (str_starts(line, "KillUserProcesses=") && strchr("yYtT1", line[strlen("KillUserProcesses=")]))
            json_array_append_new(
                warnings, json_string("this system ends all processes of a user who logs out (KillUserProcesses in "
                                      "/etc/systemd/logind.conf): run 'loginctl enable-linger' once, and start "
                                      "antler through 'systemd-run --user --scope'"));
    free(text);
}

/* Opens each device and lets it describe itself; those that are not there say why. */
static json_t *devices_json(struct str *kernels)
{
    json_t *devices = json_array();
    for (const char *const *name = (const char *const[]){"cpu", "cuda", NULL}; *name; name++) {
        struct err why = {0};
        struct device_choice choice = {0};
        bool found = backend_find(*name, &choice, &why);
        const struct backend *backend = choice.backend;
        struct device *device = found ? backend->open(&(struct device_options){.number = choice.number}, &why) : NULL;
        struct str text = {0};
        if (device && backend->describe)
            backend->describe(device, &text);
        if (device && !strcmp(*name, "cpu"))
            str_add(kernels, str_text(&text));
        json_array_append_new(devices, json_pack("{s:s,s:b,s:s}", "name", *name, "available", device != NULL, "text",
                                                 device ? str_text(&text) : why.text));
        if (device)
            backend->close(device);
        str_release(&text);
    }
    return devices;
}

bool job_doctor(const json_t *request, struct answer *answer, struct err *err)
{
    (void)request;
    (void)err;
    json_t *warnings = json_array(), *sandbox = sandbox_json(warnings);
    warn_of_logout(warnings);
    struct str kernels = {0};
    json_t *devices = devices_json(&kernels);
    const char *limit = getenv("ANTLER_THREADS");
    json_t *result = json_pack("{s:o,s:s,s:s,s:i,s:s?,s:o,s:o}", "sandbox", sandbox, "blas", str_text(&kernels), "cpu",
                               rows_choose()->name, "threads", threads_allowed(), "antler_threads", limit, "devices",
                               devices, "warnings", warnings);
    str_release(&kernels);
    answer_result(answer, result);
    return true;
}
