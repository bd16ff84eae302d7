/* Pictures: round trip, conversion of colours, damaged files. JPEG and odd PNGs by Pillow-free means are in
 * tests/keras/test_files.py. */
#include "persistence/files/image_file.h"

#include "tests/check.h"
#include "tests/fault/io_fault.h"

static struct image gradient(int height, int width, int channels)
{
    struct image image = {height, width, channels, malloc((size_t)(height * width * channels))};
    for (int i = 0; i < height * width * channels; i++)
        image.pixels[i] = (uint8_t)(i * 7 + i / 13);
    return image;
}

static void test_a_png_reads_back_exactly(void)
{
    for (int channels = 1; channels <= 4; channels++) {
        if (channels == 2)
            continue;
        struct err err;
        struct image a = gradient(5, 7, channels), b;
        CHECK_OK(image_write_png(check_path("a.png"), &a, &err), err);
        CHECK_OK(image_read(check_path("a.png"), (enum image_color)channels, &b, &err), err);
        CHECK_EQ(b.height, 5);
        CHECK_EQ(b.width, 7);
        CHECK_EQ(b.channels, channels);
        CHECK(b.pixels && !memcmp(a.pixels, b.pixels, (size_t)(5 * 7 * channels)));
        image_release(&a);
        image_release(&b);
    }
}

static void test_colours_convert_as_pillow_does(void)
{
    struct err err;
    uint8_t pixels[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30};
    struct image rgb = {1, 4, 3, pixels}, gray, rgba;
    CHECK_OK(image_write_png(check_path("c.png"), &rgb, &err), err);
    CHECK_OK(image_read(check_path("c.png"), IMAGE_GRAYSCALE, &gray, &err), err);
    CHECK_EQ(gray.pixels[0], 76);
    CHECK_EQ(gray.pixels[1], 150);
    CHECK_EQ(gray.pixels[2], 29);
    CHECK_EQ(gray.pixels[3], 18);
    CHECK_OK(image_read(check_path("c.png"), IMAGE_RGBA, &rgba, &err), err);
    CHECK_EQ(rgba.pixels[3], 255);
    CHECK_EQ(rgba.pixels[13], 20);
    image_release(&gray);
    image_release(&rgba);
}

static void test_every_truncation_and_flip_is_refused_or_read(void)
{
    struct err err;
    struct image a = gradient(6, 6, 3), b;
    char *data;
    size_t n;
    CHECK_OK(image_write_png(check_path("t.png"), &a, &err), err);
    CHECK_OK(io_read_file(check_path("t.png"), 1 << 20, &data, &n, &err), err);
    for (size_t cut = 0; cut < n; cut++) {
        char *part = malloc(cut + 1);
        memcpy(part, data, cut);
        bool ok = image_decode(part, cut, "cut", IMAGE_RGB, &b, &err);
        CHECK(!ok && err.code == ERR_FORMAT && !b.pixels);
        free(part);
    }
    for (size_t i = 0; i < n; i++)
        for (int bit = 0; bit < 8; bit++) {
            data[i] ^= (char)(1 << bit);
            if (image_decode(data, n, "flipped", IMAGE_RGB, &b, &err))
                image_release(&b);
            data[i] ^= (char)(1 << bit);
        }
    free(data);
    image_release(&a);
}

static void test_without_memory_for_any_of_its_steps_there_is_no_picture(void)
{
    struct image a = gradient(6, 6, 3), b;
    struct err err = {0};
    CHECK_OK(image_write_png(check_path("m.png"), &a, &err), err);
    for (int64_t n = 1;; n++) {
        io_fault_arm(n, ENOMEM, FAULT_ONCE, FAULT_ALLOCATE);
        bool ok = image_read(check_path("m.png"), IMAGE_GRAYSCALE, &b, &err);
        if (!io_fault_disarm()) {
            CHECK(ok && n > 2); /* as stored, and as wanted */
            break;
        }
        CHECK(!ok && !b.pixels);
        CHECK_EQ(err.code, ERR_NOMEM);
    }
    image_release(&b);
    image_release(&a);
}

static void test_what_is_no_picture_is_named(void)
{
    struct err err;
    struct image image;
    CHECK(!image_decode("hello", 5, "hello.txt", IMAGE_RGB, &image, &err));
    CHECK_EQ(err.code, ERR_FORMAT);
    CHECK_HAS(err.text, "'hello.txt' is neither a PNG nor a JPEG");
    CHECK(!image_read(check_path("absent.png"), IMAGE_RGB, &image, &err));
    CHECK_EQ(err.code, ERR_NOT_FOUND);
}

static void test_color_modes_have_keras_names(void)
{
    enum image_color color;
    CHECK(image_color_parse("grayscale", &color) && color == IMAGE_GRAYSCALE);
    CHECK(image_color_parse("rgba", &color) && color == IMAGE_RGBA);
    CHECK(!image_color_parse("gray", &color));
}

int main(void)
{
    RUN(test_a_png_reads_back_exactly);
    RUN(test_colours_convert_as_pillow_does);
    RUN(test_every_truncation_and_flip_is_refused_or_read);
    RUN(test_without_memory_for_any_of_its_steps_there_is_no_picture);
    RUN(test_what_is_no_picture_is_named);
    RUN(test_color_modes_have_keras_names);
    return check_done();
}
