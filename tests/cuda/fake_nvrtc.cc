/* fake_nvrtc.cc - see fake_nvrtc.h */
#include "fake_nvrtc.h"

#include <fstream>
#include <iterator>
#include <nvrtc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <string>
#include <unistd.h>

int fake_nvrtc_compilations;
bool fake_nvrtc_broken;

struct _nvrtcProgram {
    std::string text, log, code;
};

static std::string contents(const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
}

/* A folder for the compiler and the loader, gone when the process ends. */
static std::string place(const char *name)
{
    static std::string folder;
    if (folder.empty()) {
        char own[] = "/tmp/antler-fake-nvrtc-XXXXXX";
        if (!mkdtemp(own))
            abort();
        folder = own;
        atexit([]() {
            for (const char *left : {"/maps.cc", "/maps.so", "/log"})
                unlink((folder + left).c_str());
            rmdir(folder.c_str());
        });
    }
    return folder + "/" + name;
}

extern "C" const char *nvrtcGetErrorString(nvrtcResult status)
{
    return status == NVRTC_ERROR_COMPILATION ? "NVRTC_ERROR_COMPILATION" : "NVRTC_ERROR";
}

extern "C" nvrtcResult nvrtcVersion(int *major, int *minor)
{
    *major = 1;
    *minor = 0;
    return NVRTC_SUCCESS;
}

static const int architectures[] = {75, 80, 90};

extern "C" nvrtcResult nvrtcGetNumSupportedArchs(int *n)
{
    *n = 3;
    return NVRTC_SUCCESS;
}

extern "C" nvrtcResult nvrtcGetSupportedArchs(int *out)
{
    memcpy(out, architectures, sizeof architectures);
    return NVRTC_SUCCESS;
}

extern "C" nvrtcResult nvrtcCreateProgram(nvrtcProgram *program, const char *text, const char *, int,
                                          const char *const *, const char *const *)
{
    *program = new _nvrtcProgram{text, "", ""};
    return NVRTC_SUCCESS;
}

extern "C" nvrtcResult nvrtcDestroyProgram(nvrtcProgram *program)
{
    delete *program;
    *program = NULL;
    return NVRTC_SUCCESS;
}

/* "map_3_bytes" tells how large the parameter of map_3 is, as CUDA's code does for its kernels. */
static std::string with_sizes(const std::string &text)
{
    static const std::string before = "__launch_bounds__(256) ";
    std::string sizes;
    for (size_t at = 0; (at = text.find(before, at)) != std::string::npos;) {
        at += before.size();
        size_t open = text.find('(', at), close = text.find(')', open);
        size_t type_end = text.rfind(' ', close); /* what follows is the parameter's name */
        sizes += "extern \"C\" const unsigned long " + text.substr(at, open - at) + "_bytes = sizeof(" +
                 text.substr(open + 1, type_end - open - 1) + ");\n";
    }
    return text + sizes;
}

extern "C" nvrtcResult nvrtcCompileProgram(nvrtcProgram program, int, const char *const *)
{
    fake_nvrtc_compilations++;
    if (fake_nvrtc_broken)
        program->text += "\nthis is broken\n";
    std::ofstream(place("maps.cc")) << "#include \"cuda_shim.h\"\n#undef __global__\n#define __global__\n"
                                       "#define __grid_constant__\n"
                                    << with_sizes(program->text);
    std::string command =
        std::string(FAKE_NVRTC_COMPILER) + " -o " + place("maps.so") + " " + place("maps.cc") + " 2>" + place("log");
    int status = system(command.c_str());
    program->log = contents(place("log"));
    program->code = status ? "" : contents(place("maps.so"));
    return status ? NVRTC_ERROR_COMPILATION : NVRTC_SUCCESS;
}

extern "C" nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram program, size_t *bytes)
{
    *bytes = program->log.size() + 1;
    return NVRTC_SUCCESS;
}

extern "C" nvrtcResult nvrtcGetProgramLog(nvrtcProgram program, char *log)
{
    strcpy(log, program->log.c_str());
    return NVRTC_SUCCESS;
}

extern "C" nvrtcResult nvrtcGetCUBINSize(nvrtcProgram program, size_t *bytes)
{
    *bytes = program->code.size();
    return NVRTC_SUCCESS;
}

extern "C" nvrtcResult nvrtcGetCUBIN(nvrtcProgram program, char *code)
{
    memcpy(code, program->code.data(), program->code.size());
    return NVRTC_SUCCESS;
}

extern "C" nvrtcResult nvrtcGetPTXSize(nvrtcProgram, size_t *)
{
    return NVRTC_ERROR_INVALID_PROGRAM;
}

extern "C" nvrtcResult nvrtcGetPTX(nvrtcProgram, char *)
{
    return NVRTC_ERROR_INVALID_PROGRAM;
}
