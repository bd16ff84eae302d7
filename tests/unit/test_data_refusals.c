/* What is wrong with data is said in one sentence: file, place, found, expected; with the exit status of its kind and
 * in bounded memory. */
#include "tests/unit/data_files.h"

#include <sys/resource.h>

static const struct refusal {
    const char *file; /* content of the file "f"; NULL = as it was */
    const char *data;
    enum err_code code;
    const char *parts[3];
} refusals[] = {
    {"1,2,3\n4,5\n", "{\"format\": \"csv\", \"path\": \"f\"}", ERR_FORMAT, {"/f' line 2: has 2 columns, line 1 has 3"}},
    {"a,b\n\n1,2\n3,4,5\n",
     "{\"format\": \"csv\", \"path\": \"f\"}",
     ERR_FORMAT,
     {"line 4: has 3 columns, line 1 has 2"}},
    {"a,b\n1,2\n,4\n",
     "{\"format\": \"csv\", \"path\": \"f\"}",
     ERR_FORMAT,
     {"line 3 column 1 'a': found ''", "\"missing\""}},
    {"a,b\n1,2\n3,NA\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"missing\": \"zero\"}",
     ERR_FORMAT,
     {"line 3 column 2 'b': found 'NA'", "a label"}},
    {"a,b\n1,2\nred,4\n",
     "{\"format\": \"csv\", \"path\": \"f\"}",
     ERR_FORMAT,
     {"line 3 column 1 'a': found 'red'", "expected a number", "\"columns\""}},
    {"a,b\n1,2\n\"x\ny\",4\n", "{\"format\": \"csv\", \"path\": \"f\"}", ERR_FORMAT, {"line 3 column 1 'a': found 'x"}},
    {"a,b\n1,2\ninf,4\n",
     "{\"format\": \"csv\", \"path\": \"f\"}",
     ERR_FORMAT,
     {"line 3 column 1 'a': found 'inf', expected a number"}},
    {"a,b\n1,2\n1e999,4\n",
     "{\"format\": \"csv\", \"path\": \"f\"}",
     ERR_FORMAT,
     {"line 3 column 1 'a': found '1e999'"}},
    {"a,b\n1,2\n0x10,4\n", "{\"format\": \"csv\", \"path\": \"f\"}", ERR_FORMAT, {"line 3 column 1 'a': found '0x10'"}},
    {"a,b\n1,\"2\n",
     "{\"format\": \"csv\", \"path\": \"f\"}",
     ERR_FORMAT,
     {"line 2 column 2: a quoted cell that is never closed"}},
    {"a,b\n\"1\"x,2\n",
     "{\"format\": \"csv\", \"path\": \"f\"}",
     ERR_FORMAT,
     {"line 2 column 1: text behind the closing quote"}},
    {"a,b\n1,\xFF\n",
     "{\"format\": \"csv\", \"path\": \"f\"}",
     ERR_FORMAT,
     {"line 2 column 3: byte 0xff is not UTF-8 text"}},
    {"\xFF\xFE"
     "a",
     "{\"format\": \"csv\", \"path\": \"f\"}",
     ERR_FORMAT,
     {"line 1 column 1: byte 0xff", "seems to be UTF-16 text"}},
    {"\x89PNG\r\n\x1A\n", "{\"format\": \"csv\", \"path\": \"f\"}", ERR_FORMAT, {"seems to be a PNG picture"}},
    {"", "{\"format\": \"csv\", \"path\": \"f\"}", ERR_FORMAT, {"/f' is empty"}},
    {"a,b\n", "{\"format\": \"csv\", \"path\": \"f\"}", ERR_FORMAT, {"has no rows of data below its line of names"}},
    {"a,b\n1,2\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"label\": \"ccc\"}",
     ERR_USAGE,
     {"data.label: there is no column 'ccc'", "; it has: a, b"}},
    {"a,b,a\n1,2,3\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"label\": \"a\"}",
     ERR_USAGE,
     {"data.label: 2 columns of", "are called 'a'; use the index"}},
    {"alpha,beta\n1,2\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"label\": \"bets\"}",
     ERR_USAGE,
     {"did you mean 'beta'?"}},
    {"1,2\n3,4\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"label\": \"b\"}",
     ERR_USAGE,
     {"has no line of names; use the index"}},
    {"1,2\n3,4\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"label\": 2}",
     ERR_USAGE,
     {"data.label: there is no column 2", "0 to 1"}},
    {"1,2\n3,4\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"label\": [0, 1]}",
     ERR_USAGE,
     {"has 2 columns, all of them labels"}},
    {"1,2\n3,4\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"label\": [0, -2]}",
     ERR_USAGE,
     {"column 0 is named twice"}},
    {"1,2\n3,4\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"columns\": [1]}",
     ERR_USAGE,
     {"column 1", "is the label too"}},
    {"1,2\n3,4\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"delimiter\": \";;\"}",
     ERR_USAGE,
     {"data.delimiter: found ';;', expected one character"}},
    {"1;2\n3;4\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"label\": null}",
     ERR_FORMAT,
     {"line 2 column 1 '1;2': found '3;4', expected a number", "it seems to want \"delimiter\": \";\""}},
    {"1\t2\n3\t4\n",
     "{\"format\": \"csv\", \"path\": \"f\"}",
     ERR_USAGE,
     {"has 1 column, all of them labels", "\"delimiter\": \"\\t\""}},
    {"1,2\n3,4\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"shape\": [2]}",
     ERR_USAGE,
     {"data.shape: (2,) has 2 elements, a sample of", "has 1: (1,)"}},
    {"1,2\n3,4\n", "{\"format\": \"csv\", \"path\": \"f\", \"shape\": [0]}", ERR_USAGE, {"data.shape: found 0"}},
    {"1,2\n3,4\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"shape\": {\"a\": [1]}}",
     ERR_USAGE,
     {"data.shape.a: there is no input of that name"}},
    {"1,2\n3,4\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"scale\": \"big\"}",
     ERR_USAGE,
     {"data.scale: found 'big'", "\"minmax\""}},
    {"1,2\n3,4\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"scale\": \"1/0\"}",
     ERR_USAGE,
     {"data.scale: found '1/0'"}},
    {"1,2\n3,4\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"dtype\": \"float31\"}",
     ERR_USAGE,
     {"data.dtype: found 'float31'", "did you mean 'float32'?"}},
    {"1.5,2\n3,4\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"dtype\": \"int32\"}",
     ERR_FORMAT,
     {"sample 0: found 1.5 where int32 numbers are expected"}},
    {"1,2\n3,4\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"dtype\": \"int32\", \"scale\": 2}",
     ERR_USAGE,
     {"data.scale", "int32 numbers, which are not scaled"}},
    {"1,2\n3,4\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"one_hot\": 4}",
     ERR_FORMAT,
     {"sample 1 has label 4, one_hot allows 0 to 3"}},
    {"1,-2\n3,4\n", "{\"format\": \"csv\", \"path\": \"f\", \"one_hot\": 9}", ERR_FORMAT, {"sample 0 has label -2"}},
    {"1,2.5\n3,4\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"one_hot\": 9}",
     ERR_USAGE,
     {"data.one_hot", "not single whole numbers"}},
    {"1,a\n3,b\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"one_hot\": 3}",
     ERR_USAGE,
     {"data.one_hot: found 3", "have 2 classes"}},
    {"1,2\n3,4\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"validation_split\": 0.6}",
     ERR_USAGE,
     {"data.validation_split", "at least 1 on either side"}},
    {"1,2\n3,4\n5,6\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"validation_split\": 0.4, \"test_split\": 0.4}",
     ERR_USAGE,
     {"leave none to train on"}},
    {"1,2\n3,4\n", "{\"format\": \"csv\", \"path\": \"missing.csv\"}", ERR_USAGE, {"missing.csv'", "No such file"}},
    {NULL, "{\"format\": \"csv\", \"path\": \".\"}", ERR_USAGE, {"is a folder, expected a file"}},
    {NULL,
     "{\"format\": \"csv\", \"path\": \"f\", \"labl\": 1}",
     ERR_USAGE,
     {"data.labl: unknown key, did you mean 'label'?"}},
    {"no array", "{\"format\": \"npy\", \"x\": \"f\"}", ERR_FORMAT, {"data.x: ", "not a NumPy array"}},
    {"\x93NUMPY\x01\x01v",
     "{\"format\": \"npy\", \"x\": \"f\"}",
     ERR_FORMAT,
     {"not a NumPy array (.npy): it has only 9 bytes"}},
    {"\x93NUMPY\x09\x01v123456", "{\"format\": \"npy\", \"x\": \"f\"}", ERR_FORMAT, {"has version 9"}},
    {"not a zip",
     "{\"format\": \"npz\", \"path\": \"f\"}",
     ERR_FORMAT,
     {"data.path: ", "is not a readable .npz archive"}},
    {"some words of text",
     "{\"format\": \"idx\", \"images\": \"f\"}",
     ERR_FORMAT,
     {"data.images: ", "is not an idx file"}},
    {"\x93NUMPY\x01\x01v1234567",
     "{\"format\": \"idx\", \"images\": \"f\"}",
     ERR_FORMAT,
     {"it seems to be a NumPy array (format npy)"}},
    {"\x0B words", "{\"format\": \"cifar10\", \"path\": \"f\"}", ERR_FORMAT, {"ends inside a record: 7 bytes"}},
    {NULL, "{\"format\": \"cifar10\", \"path\": \"empty\"}", ERR_USAGE, {"has no data_batch_1.bin"}},
    {NULL, "{\"format\": \"images\", \"path\": \"empty\"}", ERR_USAGE, {"has no folders in it"}},
    {NULL, "{\"format\": \"images\", \"path\": \"nowhere\"}", ERR_USAGE, {"nowhere'", "No such file"}},
    {NULL, "{\"format\": \"images\", \"path\": \"broken\"}", ERR_FORMAT, {"broken/cat/a.png'"}},
    {NULL,
     "{\"format\": \"images\", \"path\": \"broken\", \"size\": [4]}",
     ERR_USAGE,
     {"data.size: expected [height, width]"}},
    {"abc",
     "{\"format\": \"text\", \"path\": \"f\", \"sequence_length\": 3}",
     ERR_FORMAT,
     {"has 3 tokens, expected at least 4"}},
    {"ab\xC3",
     "{\"format\": \"text\", \"path\": \"f\", \"sequence_length\": 1}",
     ERR_FORMAT,
     {"line 1 column 3: byte 0xc3 is not UTF-8"}},
    {"abc\ndef",
     "{\"format\": \"text\", \"path\": \"f\", \"sequence_length\": 2, \"test\": {\"path\": \"other.txt\"}}",
     ERR_FORMAT,
     {"line 2 column 1: the character U+007A is not in the vocabulary"}},
    {"1,2\n3,4\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"test\": {\"path\": \"wide.csv\"}}",
     ERR_USAGE,
     {"data.test: samples of", "have shape (2,)", "have (1,)"}},
    {"1,a\n3,b\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"test\": {\"path\": \"named.csv\"}}",
     ERR_FORMAT,
     {"has the label 'z', which the training part does not"}},
    {"1,2\n3,4\n",
     "{\"format\": \"csv\", \"path\": \"f\", \"test\": {\"format\": \"csv\", \"path\": \"f\", \"label\": null}}",
     ERR_USAGE,
     {"data.test"}},
};

static void test_every_refusal_names_file_place_found_and_expected(void)
{
    make_folder("empty");
    make_folder("broken/cat");
    write_text("broken/cat/a.png", "\x89PNG\r\n\x1A\nbut no picture");
    write_text("other.txt", "abc\nz");
    write_text("wide.csv", "1,2,3\n");
    write_text("named.csv", "1,z\n");
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct err err = {0};
        if (refusals[i].file)
            write_text("f", refusals[i].file);
        struct dataset *ds = open_with(refusals[i].data, NULL, &err);
        if (ds)
            CHECK_FAIL("case %zu was accepted: %s", i, refusals[i].data);
        if (err.code != refusals[i].code)
            CHECK_FAIL("case %zu: code %d, expected %d: %s", i, err.code, refusals[i].code, err.text);
        for (size_t k = 0; k < 3 && refusals[i].parts[k]; k++)
            CHECK_HAS(err.text, refusals[i].parts[k]);
        dataset_close(ds);
    }
}

static void write_npy_header(const char *name, const char *dictionary, size_t data_bytes)
{
    char bytes[512] = "\x93NUMPY\x01";
    size_t n = strlen(dictionary);
    bytes[8] = (char)n;
    memcpy(bytes + 10, dictionary, n);
    write_bytes(name, bytes, 10 + n + data_bytes);
}

static void test_array_headers_that_lie_are_refused(void)
{
    static const struct {
        const char *dictionary, *part;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000000000,), }",
         "declares shape (1000000000000000000)"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (4000000000, 4000000000), }",
         "more elements than any file can hold"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", "no readable header"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
         "declares shape (3) of float32, 12 bytes, but holds 8"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }",
         "declares shape (1) of float32, 4 bytes, but holds 8"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }", "declares shape () of float32"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (), }", "is a single number"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", "holds Python objects (dtype '|O')"},
        {"{'descr': '<U4', 'fortran_order': False, 'shape': (2,), }", "holds text (dtype '<U4')"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", "holds complex numbers"},
        {"{'descr': '<M8[D]', 'fortran_order': False, 'shape': (1,), }", "holds dates or times"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", "records with several fields"},
        {"{'descr': '<f4', 'shape': (2,), }", "no readable header"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", "no readable header"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2), }", "at most 16 axes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,2), }",
         "has 10 axes, expected at most 9"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }", "but holds 8"},
        {"{'descr", "no readable header"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        write_npy_header("f.npy", cases[i].dictionary, 8);
        struct dataset *ds = open_with("{\"format\": \"npy\", \"x\": \"f.npy\"}", NULL, &err);
        CHECK(!ds);
        CHECK_EQ(err.code, ERR_FORMAT);
        CHECK_HAS(err.text, cases[i].part);
        dataset_close(ds);
    }
}

static void test_arrays_must_agree_on_their_samples(void)
{
    struct err err = {0};
    write_npy_header("two.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 8);
    write_npy_header("four.npy", "{'descr': '<f2', 'fortran_order': False, 'shape': (4,), }", 8);
    CHECK(!open_with("{\"format\": \"npy\", \"x\": \"two.npy\", \"y\": \"four.npy\"}", NULL, &err));
    CHECK_HAS(err.text, "data.y: ");
    CHECK_HAS(err.text, "four.npy' has 4 samples");
    CHECK_HAS(err.text, "two.npy' has 2");
    CHECK(!open_with("{\"format\": \"npy\", \"x\": \"two.npy\", \"sample_weight\": \"four.npy\"}", NULL, &err));
    CHECK_HAS(err.text, "data.sample_weight: ");
    CHECK(!open_with("{\"format\": \"npy\", \"x\": {\"a\": \"two.npy\", \"b\": \"four.npy\"}}", NULL, &err));
    CHECK_HAS(err.text, "data.x: ");
    CHECK(!open_with("{\"format\": \"npy\", \"x\": \"two.npy\", \"y\": {\"a\": 3}}", NULL, &err));
    CHECK_HAS(err.text, "data.y: found integer for 'a', expected a string");
}

static void test_gzip_that_is_cut_off_damaged_or_followed_by_rubbish_is_refused(void)
{
    struct err err = {0};
    char *bytes, rows[4000];
    size_t n;
    for (size_t i = 0; i < sizeof rows; i += 4)
        memcpy(rows + i, i % 8 ? "1,2\n" : "3,4\n", 4);
    write_gzip("t.gz", rows, sizeof rows);
    CHECK_OK(io_read_file(check_path("t.gz"), 1 << 20, &bytes, &n, &err), err);
    write_bytes("cut.gz", bytes, n - 12);
    CHECK(!open_with("{\"format\": \"csv\", \"path\": \"cut.gz\"}", NULL, &err));
    CHECK_EQ(err.code, ERR_FORMAT);
    CHECK_HAS(err.text, "cut.gz' is cut off");
    bytes[n - 8] ^= 1;
    write_bytes("crc.gz", bytes, n);
    CHECK(!open_with("{\"format\": \"csv\", \"path\": \"crc.gz\"}", NULL, &err));
    CHECK_HAS(err.text, "damaged gzip data: incorrect data check");
    bytes[n - 8] ^= 1;
    bytes = realloc(bytes, n + 7);
    memcpy(bytes + n, "rubbish", 7);
    write_bytes("more.gz", bytes, n + 7);
    CHECK(!open_with("{\"format\": \"csv\", \"path\": \"more.gz\"}", NULL, &err));
    CHECK_HAS(err.text, "has bytes after the end of its gzip data");
    free(bytes);
}

static void test_idx_headers_that_lie_are_refused_before_memory_is_taken(void)
{
    static const unsigned char huge[] = {0, 0, 8, 3, 0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 9, 1, 2};
    static const unsigned char cut[] = {0, 0, 8, 1, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8},
                               more[] = {0, 0, 8, 1, 0, 0, 0, 1, 1, 2};
    struct err err = {0};
    write_bytes("i", huge, sizeof huge);
    CHECK(!open_with("{\"format\": \"idx\", \"images\": \"i\"}", NULL, &err));
    CHECK_HAS(err.text, "declares more elements");
    write_gzip("i.gz", huge, sizeof huge);
    CHECK(!open_with("{\"format\": \"idx\", \"images\": \"i.gz\"}", NULL, &err));
    CHECK_HAS(err.text, "declares more elements");
    write_gzip("i.gz", cut, sizeof cut);
    CHECK(!open_with("{\"format\": \"idx\", \"images\": \"i.gz\"}", NULL, &err));
    CHECK_HAS(err.text, "ends too early: 1 of 9 bytes");
    write_bytes("i", more, sizeof more);
    CHECK(!open_with("{\"format\": \"idx\", \"images\": \"i\"}", NULL, &err));
    CHECK_HAS(err.text, "goes on after the 9 bytes");
    CHECK_EQ(err.code, ERR_FORMAT);
}

static void test_an_input_for_predict_that_does_not_fit_the_model_is_refused(void)
{
    struct field image = {.name = "image", .shape = SHAPE(8, 8, 1)}, pair = {.name = "pair", .shape = SHAPE(2)},
                 both[2] = {image, pair};
    json_t *scaled = parse("{\"format\": \"csv\", \"path\": \"t.csv\", \"scale\": \"standard\"}");
    struct err err = {0};
    write_text("p.csv", "1,2,3\n");
    CHECK(!dataset_open_input("p.csv", NULL, check_tmp(), NULL, &image, 1, &err));
    CHECK_HAS(err.text, "p.csv' has 3 columns, the model takes 64");
    CHECK_EQ(err.code, ERR_USAGE);
    write_npy_header("two.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 8);
    CHECK(!dataset_open_input("two.npy", NULL, check_tmp(), NULL, &image, 1, &err));
    CHECK_HAS(err.text, "has samples of shape (), the model's input 'image' wants (8, 8, 1)");
    CHECK_EQ(err.code, ERR_USAGE);
    CHECK(!dataset_open_input("two.npy", NULL, check_tmp(), NULL, both, 2, &err));
    CHECK_HAS(err.text, "holds one input, the model has 2: give a .npz");
    write_text("p.csv", "1,2\n");
    CHECK(!dataset_open_input("p.csv", scaled, check_tmp(), NULL, &pair, 1, &err));
    CHECK_HAS(err.text, "the scale 'standard' fitted in training is not kept");
    write_text("p.png", "\x89PNG\r\n\x1A\n");
    CHECK(!dataset_open_input("p.png", NULL, check_tmp(), NULL, &pair, 1, &err));
    CHECK_HAS(err.text, "is a picture, the model's input of shape (2,) is none");
    CHECK_EQ(err.code, ERR_USAGE);
    CHECK(!dataset_open_input("\xFF.npy", NULL, check_tmp(), NULL, &pair, 1, &err));
    CHECK_HAS(err.text, "is not UTF-8");
    CHECK(!dataset_open_input("none.npy", NULL, check_tmp(), NULL, &pair, 1, &err));
    CHECK_EQ(err.code, ERR_USAGE);
    json_decref(scaled);
}

static void test_more_texts_than_there_may_be_classes_are_no_labels(void)
{
    struct err err = {0};
    struct str csv = {0};
    for (int i = 0; i <= 65536; i++)
        str_addf(&csv, "%d,id%d\n", i, i);
    write_bytes("f", csv.data, csv.length);
    CHECK(!open_with("{\"format\": \"csv\", \"path\": \"f\", \"header\": false}", NULL, &err));
    CHECK_HAS(err.text, "/f' has more than 65536 different texts as labels");
    CHECK_EQ(err.code, ERR_FORMAT);
    str_release(&csv);
}

/* Headers that ask for much more than the limit set here must be refused by their words, never by a failed allocation
 * of that size. */
static void test_refusals_need_little_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__)
    struct rlimit old, limit;
    getrlimit(RLIMIT_AS, &old);
    limit = old;
    limit.rlim_cur = 512u << 20;
    setrlimit(RLIMIT_AS, &limit);
    test_array_headers_that_lie_are_refused();
    test_idx_headers_that_lie_are_refused_before_memory_is_taken();
    setrlimit(RLIMIT_AS, &old);
#endif
}

int main(void)
{
    RUN(test_every_refusal_names_file_place_found_and_expected);
    RUN(test_array_headers_that_lie_are_refused);
    RUN(test_arrays_must_agree_on_their_samples);
    RUN(test_gzip_that_is_cut_off_damaged_or_followed_by_rubbish_is_refused);
    RUN(test_idx_headers_that_lie_are_refused_before_memory_is_taken);
    RUN(test_an_input_for_predict_that_does_not_fit_the_model_is_refused);
    RUN(test_more_texts_than_there_may_be_classes_are_no_labels);
    RUN(test_refusals_need_little_memory);
    return check_done();
}
