/* keras_kind.c - names what a file that is not a Keras file seems to be, and the way out; see keras_internal.h */
#include "persistence/keras/keras_internal.h"

#include "base/io.h"
#include "persistence/files/bytes.h"
#include "persistence/files/zip_archive.h"

#include <sys/stat.h>

struct kind {
    size_t at, n;
    const char *magic, *text;
};

static const struct kind kinds[] = {
    {0, 2, "\x1f\x8b", "a gzip file; unpack it first"},
    {0, 6, "\x93NUMPY", "a NumPy array (.npy); weights must be a .weights.h5 file written by Keras"},
    {4, 4, "TFL3",
     "a TensorFlow Lite model, which cannot be trained; open the original in Keras and save it as .keras"},
    {0, 4, "GGUF", "a GGUF model of llama.cpp; convert it to Keras (for example with KerasHub) and save it as .keras"},
    {0, 2, "\x80\x02",
     "a Python pickle (an old PyTorch file?), which can run code when it is opened; save the model as .keras instead"},
    {0, 2, "\x80\x03", "a Python pickle, which can run code when it is opened; save the model as .keras instead"},
    {0, 2, "\x80\x04", "a Python pickle, which can run code when it is opened; save the model as .keras instead"},
    {0, 2, "\x80\x05", "a Python pickle, which can run code when it is opened; save the model as .keras instead"},
    {0, 4, "\x7f\x45LF", "a program, not a model"},
    {0, 8, "\x89PNG\r\n\x1a\n", "a picture, not a model"},
    {0, 5, "%PDF-", "a PDF document, not a model"},
    {0, 16, "SQLite format 3\0", "a SQLite database, not a model"},
};

struct zip_seen {
    bool pickle, npz, weights_npz, weights_h5, torch;
};

static void look_at_name(void *ctx, const char *name)
{
    struct zip_seen *seen = ctx;
    seen->pickle |= str_ends(name, ".pkl");
    seen->npz |= str_ends(name, ".npy");
    seen->weights_npz |= !strcmp(name, "model.weights.npz");
    seen->weights_h5 |= !strcmp(name, "model.weights.h5");
    seen->torch |= str_ends(name, "/data.pkl");
}

static bool refuse(const char *path, const char *what, struct err *err)
{
    return err_set(err, ERR_FORMAT, "'%s' is %s", path, what);
}

static bool refuse_zip(int fd, const char *path, struct err *err)
{
    struct zip_seen seen = {0};
    if (!zip_peek_names(fd, look_at_name, &seen))
        return refuse(path,
                      "a zip archive without a directory at its end: it was cut off while it was written or copied, "
                      "or something was appended to it; write or copy it again",
                      err);
    if (seen.torch)
        return refuse(path,
                      "a PyTorch file; load it in Python, copy its weights into a Keras model and save that as .keras",
                      err);
    if (seen.weights_npz)
        return refuse(
            path,
            "a Keras archive whose weights are NumPy arrays; open it in Keras with h5py installed and save it again",
            err);
    if (seen.npz)
        return refuse(path,
                      "a NumPy archive (.npz), which names no layers; load it in Python into a Keras model and save "
                      "that as .keras",
                      err);
    if (seen.weights_h5)
        return refuse(
            path,
            "a Keras archive without config.json; take its model.weights.h5 out and use it with the model's config",
            err);
    if (seen.pickle)
        return refuse(path,
                      "a zip archive with a Python pickle, which can run code when it is opened; save the model as "
                      ".keras instead",
                      err);
    return refuse(path, "a zip archive without config.json, so it is no Keras model", err);
}

/* ONNX is a protobuf: field 1 (ir_version) a small number, then field 2 (producer_name) or 7 (graph) or 8
 * (opset_import). */
static bool looks_like_onnx(const uint8_t *head, size_t n, const char *path)
{
    return n >= 4 && head[0] == 8 && head[1] < 32 &&
           (head[2] == 0x12 || head[2] == 0x3a || head[2] == 0x42 || str_ends(path, ".onnx"));
}

static bool looks_like_safetensors(const uint8_t *head, size_t n, int64_t file_bytes)
{
    return n >= 9 && head[8] == '{' && bytes_get(head, 8) < (uint64_t)file_bytes;
}

bool keras_kind_refuse(int fd, const char *path, struct err *err)
{
    uint8_t head[16] = {0};
    struct stat st;
    if (fd < 0) {
        char *saved = path_join(path, "saved_model.pb");
        bool saved_model = path_exists(saved);
        free(saved);
        return saved_model
                   ? refuse(path,
                            "a TensorFlow SavedModel folder; open it in TensorFlow and save the Keras model as .keras",
                            err)
                   : refuse(path, "a folder without config.json and model.weights.h5, so it is no Keras model", err);
    }
    if (fstat(fd, &st) || !S_ISREG(st.st_mode))
        return refuse(path, "not an ordinary file", err);
    size_t n = st.st_size < (off_t)sizeof head ? (size_t)st.st_size : sizeof head;
    if (!io_pread_all(fd, head, n, 0, path, err))
        return false;
    if (!n)
        return refuse(path, "an empty file", err);
    if (n >= 4 && !memcmp(head, "PK", 2) && (head[2] == 3 || head[2] == 5))
        return refuse_zip(fd, path, err);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (n >= kinds[i].at + kinds[i].n && !memcmp(head + kinds[i].at, kinds[i].magic, kinds[i].n))
            return refuse(path, kinds[i].text, err);
    if (looks_like_onnx(head, n, path))
        return refuse(
            path, "an ONNX model, which antler writes but does not train; use the Keras model it was made from", err);
    if (looks_like_safetensors(head, n, st.st_size))
        return refuse(
            path,
            "a safetensors file, which names no layers; load it in Python into a Keras model and save that as .keras",
            err);
    return refuse(path,
                  "no Keras file: neither a .keras archive, nor HDF5 weights, nor an architecture in JSON (cut off or "
                  "of another kind)",
                  err);
}
